import Table from 'cli-table3';
import type { EnvironmentSpec } from './config.js';
import { profiles, serviceNames } from './services.js';

/** Memory left to the host: the Docker Engine, the runner, one Pulumi process and the operating system. */
export const hostReserveMb = 1024;
/**
 * What each further environment takes outside its containers: 40 for what the engine runs beside them, and whenever it goes
 * up or down 180 for its program, its Pulumi CLI and their supervisor (memory of their own and their share, four at once).
 */
export const operationMb = 220;

/** What a host has for the limits of so many environments, in MiB. */
export const roomMb = (hostMemoryMb: number, environments: number): number =>
  hostMemoryMb - hostReserveMb - (environments - 1) * operationMb;

/** One problem, with the table of who asks for what, when Σ(limits) is above the budget. */
export function budgetProblems(spec: EnvironmentSpec): string[] {
  if (spec.memoryMb <= spec.budgetMb) return [];
  return [
    `the services' memory limits sum up to ${spec.memoryMb} MiB, the budget (rehearsal:budgetMb) is ${spec.budgetMb} MiB: ` +
      `lower limits or raise the budget\n${memoryTable(spec)}`,
  ];
}

/**
 * One problem, with the table of who asks for what, when the environment doesn't fit its host.
 * @param hostMemoryMb the host's whole memory (MemTotal), in MiB.
 */
export function hostProblems(spec: EnvironmentSpec, hostMemoryMb: number): string[] {
  const freeMb = hostMemoryMb - hostReserveMb;
  if (spec.memoryMb <= freeMb) return [];
  const smallMb = smallMemoryMb(spec);
  const remedy =
    spec.profile !== 'small' && smallMb !== undefined && smallMb <= freeMb
      ? `take a larger host or the profile small (${smallMb} MiB): --profile small, or pulumi config set profile small`
      : 'take a larger host';
  return [
    `the services' memory limits sum up to ${spec.memoryMb} MiB, the Docker host has ${String(Math.floor(hostMemoryMb))} MiB ` +
      `of which ${hostReserveMb} MiB are kept for itself: ${remedy}\n${memoryTable(spec)}`,
  ];
}

/** Σ(limits) of the profile small with what the settings say themselves, undefined when that breaks its budget. */
function smallMemoryMb({ profile, services, budgetMb }: EnvironmentSpec): number | undefined {
  const { small, [profile]: own } = profiles;
  const memoryMb = serviceNames
    .map((name) => {
      const limitMb = services[name].memoryMb;
      return limitMb === own.services[name].memoryMb ? small.services[name].memoryMb : limitMb;
    })
    .reduce((sum, limitMb) => sum + limitMb, 0);
  return memoryMb <= (budgetMb === own.budgetMb ? small.budgetMb : budgetMb) ? memoryMb : undefined;
}

/** Who asks for what: a row per service, then the sum and the budget. Plain text, no colours. */
export function memoryTable(spec: EnvironmentSpec): string {
  const table = new Table({
    head: ['service', 'MiB'],
    colAligns: ['left', 'right'],
    style: { head: [], border: [] },
  });
  for (const name of serviceNames) table.push([name, spec.services[name].memoryMb]);
  table.push(['Σ(limits)', spec.memoryMb], ['budget', spec.budgetMb]);
  return table.toString();
}

import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Document, parseDocument } from 'yaml';
import {
  ConfigError,
  configNamespace,
  parseConfig,
  resolveEnvironment,
  type EnvironmentSpec,
} from '../../components/config.js';
import { profiles, type ServiceName } from '../../components/services.js';
import { readIfThere } from '../files.js';
import { parseJson } from '../json.js';
import type { Change } from '../report/diagnosis-schema.js';
import type { RunRecord } from '../report/record.js';
import { settingsOf } from '../settings.js';

/** A key's old and new value. */
export interface Edit {
  key: string;
  from: number | string | undefined;
  to: number | string;
}

type Setting = Extract<Change, { kind: 'setting' }>;

/** The largest budget that a recommendation may set: that of the profile for production-like runs. */
const largestBudgetMb = profiles.standard.budgetMb;
const nameOf = ({ path: keys }: Setting): string => `${configNamespace}:${keys.join('.')}`;

/**
 * Writes what the run's diagnosis recommends into the stack's settings file, which is made when there is none.
 * Comments stay where they are.
 * @returns what was changed: nothing when nothing is recommended, or all of it is in the file already.
 * @throws ConfigError with every reason why it can't be written, the budget included: the file is as it was then.
 */
export async function applyRecommendation(
  record: Pick<RunRecord, 'recommended' | 'environment'>,
  file: string,
): Promise<Edit[]> {
  const source = path.basename(file);
  const wanted = record.recommended.filter((change) => change.kind === 'setting');
  if (wanted.length === 0) return [];
  const document = await readDocument(file, record.environment.profile);
  const before = environmentOf(document, source);
  const missing = wanted.filter((setting) => valueOf(before, setting) !== setting.to);
  const problems = [
    ...changedSince(record.environment.profile, before, missing),
    ...budgetProblems(document, missing),
  ];
  if (problems.length > 0) throw new ConfigError(problems, source);
  for (const setting of missing) write(document, setting);
  environmentOf(document, source);
  if (missing.length > 0) await writeFile(file, document.toString({ lineWidth: 0 }));
  return missing.map((setting) => ({
    key: nameOf(setting),
    from: valueOf(before, setting),
    to: setting.to,
  }));
}

/** @throws Error with what is no YAML. */
async function readDocument(file: string, profile: string): Promise<Document> {
  const text = await readIfThere(file);
  if (text === undefined) return new Document({ config: { [`${configNamespace}:profile`]: profile } });
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined) {
    throw new Error(`${path.basename(file)}: not valid YAML: ${error.message}`, { cause: error });
  }
  return document;
}

/** @throws ConfigError */
function environmentOf(document: Document, source: string): EnvironmentSpec {
  const { config } = settingsOf(document.toJS() ?? {}, source);
  return resolveEnvironment(parseConfig(config, source), source);
}

/** What counts for the environment now, be it from the file or from the profile. */
function valueOf(
  spec: EnvironmentSpec,
  { path: [first = '', service, key = '', ...rest] }: Setting,
): Edit['from'] {
  if (first === 'budgetMb') return spec.budgetMb;
  const { memoryMb, environment, healthCheck } = spec.services[service as ServiceName];
  switch (key) {
    case 'memoryMb':
      return memoryMb;
    case 'maxmemoryMb':
      return spec.maxmemoryMb;
    case 'workers':
      return spec.workers;
    case 'environment':
      return environment[rest[0] ?? ''];
    case 'healthCheck':
      return healthCheck[rest[0] as 'startPeriodSeconds'];
    default:
      throw new Error(`no recommendation is about ${key}`);
  }
}

/** The figures hold for what the run had. */
function changedSince(profile: string, before: EnvironmentSpec, wanted: readonly Setting[]): string[] {
  if (before.profile !== profile) {
    return [
      `${configNamespace}:profile is ${before.profile}, the run had ${profile}: its figures are for that`,
    ];
  }
  return wanted.flatMap((setting) => {
    const now = valueOf(before, setting);
    return now === setting.from
      ? []
      : [`${nameOf(setting)} is ${inWords(now)}, the run had ${inWords(setting.from)}: run again first`];
  });
}

const inWords = (value: Edit['from']): string => (value === undefined ? 'not set' : JSON.stringify(value));

/** A budget that the file names is somebody's decision; a profile's grows up to the largest profile's. */
function budgetProblems(document: Document, wanted: readonly Setting[]): string[] {
  const budget = wanted.find(({ path: [key] }) => key === 'budgetMb');
  if (budget === undefined) return [];
  const needed = `the recommended limits need a budget of ${String(budget.to)} MiB`;
  if (document.hasIn(['config', fileKey(document, 'budgetMb')])) {
    return [
      `${needed}, ${nameOf(budget)} is ${inWords(budget.from)}: raise it yourself, or take fewer users`,
    ];
  }
  return Number(budget.to) > largestBudgetMb
    ? [`${needed}, more than the ${String(largestBudgetMb)} MiB of the largest profile: take fewer users`]
    : [];
}

/** Pulumi takes a key without a namespace for one of the project's own. */
function fileKey(document: Document, key: string): string {
  return document.hasIn(['config', key]) ? key : `${configNamespace}:${key}`;
}

function write(document: Document, { path: [first = '', ...rest], to }: Setting): void {
  // A key without a value is no map to write into.
  if (document.has('config') && document.get('config') === undefined) document.delete('config');
  const top = ['config', fileKey(document, first)];
  const value = document.getIn(top);
  // `pulumi config set` without --path keeps a map as JSON text.
  if (typeof value === 'string' && rest.length > 0)
    document.setIn(top, document.createNode(parseJson(value)));
  document.setIn([...top, ...rest], to);
}

import { mkdir, rm } from 'node:fs/promises';
import { userInfo } from 'node:os';
import path from 'node:path';
import type Docker from 'dockerode';
import { parseConfig, resolveEnvironment, configNamespace } from '../components/config.js';
import { labelKeys } from '../components/labels.js';
import type { ProfileName } from '../components/services.js';
import { connectDocker } from '../engine/docker.js';
import type { Progress } from '../engine/progress.js';
import { setUp, type EngineEnvironment } from '../engine/setup.js';
import { checkout, workFolder } from '../engine/state.js';
import { dockerEngine, type ContainerEngine } from '../runners/docker.js';
import { startJanitor } from '../runners/janitor.js';
import { leaseBook } from '../runners/lease-book.js';
import { newRunId, stackName } from '../runners/names.js';
import { compileProgram } from '../runners/program.js';
import { pulumiStacks, type StackEngine } from '../runners/stack.js';
import { markOf } from '../runners/take-over.js';
import { findCompose, type ComposeCli } from './compose-cli.js';
import type { Tenant, WayKind } from './way.js';

/** Of everything that a benchmark makes. */
const branch = 'bench';
const ttlMinutes = 60;

/** Where everything is measured, and what all parts share. */
export interface Site {
  progress: Progress;
  signal: AbortSignal;
  docker: Docker;
  engine: ContainerEngine;
  host: Awaited<ReturnType<ContainerEngine['host']>>;
  sources: EngineEnvironment['sources'];
  /** Absolute path of the Pulumi CLI, and its whole environment. */
  pulumi: string;
  env: NodeJS.ProcessEnv;
  chromium: string | undefined;
  stacks: StackEngine;
  labels: { branch: string; owner: string };
  /** Who is to be measured; the others are left out. */
  kinds: readonly WayKind[];
  /** Looked for, or built, when it is first needed. */
  compose(): Promise<ComposeCli>;
  /**
   * Lets somebody have an environment, with a lease, so that whatever becomes of this process it is removed; so is what
   * he leaves.
   */
  withTenant<T>(title: string, profile: ProfileName, work: (tenant: Tenant) => Promise<T>): Promise<T>;
  /** Nothing more is made. What failed to go is left to the janitor, who begins when this process has ended. */
  close(): Promise<void>;
}

export async function openSite(
  progress: Progress,
  signal: AbortSignal,
  kinds: readonly WayKind[],
): Promise<Site> {
  const { pulumi, dockerHost, env: added, sources } = await setUp({ progress });
  const runId = newRunId(Date.now());
  const folder = path.join(workFolder, 'bench', runId);
  await mkdir(folder, { recursive: true });
  const docker = connectDocker(dockerHost);
  const engine = dockerEngine(docker);
  // As in a run: the compiled program does without the loader in NODE_OPTIONS.
  const env = {
    ...process.env,
    ...added,
    ...markOf(runId),
    NODE_OPTIONS: process.env['NODE_OPTIONS'],
  };
  const program = await compileProgram(checkout);
  const labels = { branch, owner: userInfo().username };
  const janitor = startJanitor({ runId, checkout, pulumi, folder }, { ...process.env, ...added });
  let compose: Promise<ComposeCli> | undefined;
  let made = 0;
  let isUnfinished = false;
  return {
    ...{ progress, signal, kinds, docker, engine, sources, pulumi, env, labels },
    host: await engine.host(),
    chromium: added['REHEARSAL_CHROMIUM'],
    stacks: pulumiStacks(pulumi, env, checkout, () => Promise.resolve(program)),
    compose: () => (compose ??= findCompose(progress)),
    async withTenant(title, profile, work) {
      made += 1;
      const suite = `${String(made)}-${title}`;
      const scope = { runId, suite };
      const name = stackName(branch, runId, suite);
      const own = path.join(folder, suite);
      await mkdir(own);
      const config = parseConfig({ [`${configNamespace}:profile`]: profile }, 'the benchmark');
      const { memoryMb } = resolveEnvironment(config, 'the benchmark');
      const leases = leaseBook({ runId, memoryMb, ttlMinutes, dockerHostOf: () => dockerHost, env });
      await leases.take(name, suite);
      await leases.occupy(name);
      const tenantLabels = {
        [labelKeys.run]: runId,
        [labelKeys.suite]: suite,
        [labelKeys.branch]: labels.branch,
        [labelKeys.owner]: labels.owner,
        [labelKeys.stack]: name,
        [labelKeys.expiresAt]: new Date(Date.now() + ttlMinutes * 60_000).toISOString(),
      };
      try {
        const result = await work({ name, scope, profile, labels: tenantLabels, folder: own });
        await engine.remove(await engine.leftovers(scope));
        await leases.giveBack(name);
        return result;
      } catch (error) {
        // Its lease stays: there may be a state to be destroyed, which the janitor does.
        isUnfinished = true;
        await engine.remove(await engine.leftovers(scope));
        throw error;
      } finally {
        await rm(own, { recursive: true });
      }
    },
    async close() {
      if (isUnfinished) return;
      janitor.dismiss();
      await rm(folder, { recursive: true });
    },
  };
}

import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { execa } from 'execa';
import { stringify } from 'yaml';
import { labelKeys } from '../../../components/labels.js';
import { connectDocker, resolveDockerHost } from '../../../engine/docker.js';
import { npmStart } from '../../../engine/npm-start.js';
import { checkout } from '../../../engine/state.js';
import { waitUntil } from '../../../engine/wait.js';
import { dockerEngine } from '../../../runners/docker.js';
import { readLeases } from '../../../runners/leases.js';
import { runsFolder } from '../../../runners/plan.js';
import { processesOf } from '../../../runners/processes.js';
import { runRecordSchema, type RunRecord } from '../../../runners/report/record.js';
import { settingsFile } from '../../../runners/settings.js';

const suite = 'websocket-agent-events';
const goneDeadlineMs = 30_000;
const intervalMs = 100;

export interface WardOptions {
  /** Interrupts the runs. */
  signal: AbortSignal;
  dockerHost?: string;
  /** Takes the state; one of the ward's own by default. */
  state?: string;
  /** Where the runs' artifacts are found. */
  runs?: string;
  /** A command that takes a run's as its last arguments and becomes it. */
  within?: readonly string[];
}

/** Runs of one state of their own, which can be told from everybody else's on this machine. */
export async function newWard({
  signal,
  dockerHost = resolveDockerHost(),
  state: givenState,
  runs = path.join(checkout, runsFolder),
  within = [],
}: WardOptions) {
  const id = randomUUID().slice(0, 8);
  const branch = `chaos-${id}`;
  const state = givenState ?? (await mkdtemp(path.join(tmpdir(), 'rehearsal-chaos-')));
  const backend = pathToFileURL(state).href;
  const engine = dockerEngine(connectDocker(dockerHost));
  let started = 0;
  const mark = `RUNNER_TRACKING_ID=${id}`;

  /** What the engine has of the ward's runs, in words. */
  const resources = async (): Promise<string[]> =>
    (await engine.everything())
      .filter(({ labels }) => labels[labelKeys.branch] === branch)
      .map(({ kind, name }) => `${kind} ${name}`);

  /** All that there is of them. */
  const remains = async (): Promise<string[]> => {
    const { leases } = await readLeases();
    const stacks = await readdir(path.join(state, '.pulumi', 'stacks', 'rehearsal')).catch(() => []);
    return [
      ...(await resources()),
      ...leases.filter((lease) => lease.backend === backend).map(({ stack }) => `lease of ${stack}`),
      ...stacks.filter((name) => name.endsWith('.json')).map((name) => `state ${name}`),
      ...processesOf({ mark }).map(({ name, pid }) => `process ${name} (${String(pid)})`),
    ];
  };

  /** The records of the ward's runs, newest last. */
  const records = async (): Promise<{ record: RunRecord; folder: string }[]> => {
    const found: { record: RunRecord; folder: string }[] = [];
    for (const name of (await readdir(runs).catch(() => [])).sort()) {
      const text = await readFile(path.join(runs, name, 'record.json'), 'utf8').catch(() => undefined);
      if (text?.includes(`"${branch}"`) !== true) continue;
      found.push({ record: runRecordSchema.parse(JSON.parse(text)), folder: path.join(runs, name) });
    }
    return found;
  };

  return {
    mark,
    /**
     * `npm start` but for npm itself, as GitHub starts it for a push to the ward's branch.
     * @param config of a settings file of the run's own; without it the run has one critical suite.
     */
    async start(config?: Readonly<Record<string, unknown>>) {
      const stack = `${branch}-${String((started += 1))}`;
      const file = path.join(checkout, settingsFile(stack));
      if (config !== undefined) await writeFile(file, stringify({ config }));
      const chosen = config === undefined ? ['--suite', suite] : ['--stack', stack];
      const cli = [...npmStart(), '--profile', 'small', ...chosen];
      const [command = '', ...args] = [...within, ...cli];
      const earlier = new Set((await records()).map(({ folder }) => folder));
      const subprocess = execa(command, args, {
        cwd: checkout,
        env: {
          DOCKER_HOST: dockerHost,
          PULUMI_BACKEND_URL: backend,
          GITHUB_ACTIONS: 'true',
          GITHUB_REF: `refs/heads/${branch}`,
          RUNNER_TRACKING_ID: id,
        },
        stdin: 'ignore',
        all: true,
        reject: false,
      });
      const interrupt = (): boolean => subprocess.kill('SIGINT');
      signal.addEventListener('abort', interrupt);
      let output = '';
      subprocess.all.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
      let hasEnded = false;
      const ended = subprocess.then(async () => {
        hasEnded = true;
        signal.removeEventListener('abort', interrupt);
        await rm(file, { force: true });
      });
      const options = { what: 'the end of the run', intervalMs: 10 };
      return {
        ended,
        hasEnded: () => hasEnded,
        output: () => output,
        /** Those of the ward that weren't there at its start. */
        records: async () => (await records()).filter(({ folder }) => !earlier.has(folder)),
        kill: (signal: NodeJS.Signals) => subprocess.kill(signal),
        endsWithin: (deadlineMs: number): Promise<boolean> =>
          waitUntil(() => Promise.resolve(hasEnded), Boolean, { ...options, deadlineMs }).catch(() => false),
      };
    },
    /**
     * @param but the state and the leases, where nobody can write.
     * @returns how long it took.
     * @throws Error that says what is left.
     */
    async untilNothingIsLeft(but?: 'state'): Promise<number> {
      const startedMs = performance.now();
      let left: string[] = [];
      const found = but === undefined ? remains : resources;
      const look = async (): Promise<number> => (left = await found()).length;
      const options = { what: 'the end of what was left', deadlineMs: goneDeadlineMs, intervalMs };
      await waitUntil(look, (count) => count === 0, options).catch((cause: unknown) => {
        throw new Error(`after ${String(goneDeadlineMs / 1000)} s there is left: ${left.join(', ')}`, {
          cause,
        });
      });
      return performance.now() - startedMs;
    },
    records,
    async dismiss(): Promise<void> {
      await rm(state, { recursive: true });
    },
  };
}
export type Ward = Awaited<ReturnType<typeof newWard>>;

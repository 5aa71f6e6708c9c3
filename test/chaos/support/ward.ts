import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { execa } from 'execa';
import { labelKeys } from '../../../components/labels.js';
import { connectDocker, resolveDockerHost } from '../../../engine/docker.js';
import { checkout } from '../../../engine/state.js';
import { waitUntil } from '../../../engine/wait.js';
import { dockerEngine } from '../../../runners/docker.js';
import { readLeases } from '../../../runners/leases.js';
import { runsFolder } from '../../../runners/plan.js';
import { processesOf } from '../../../runners/processes.js';
import { runRecordSchema, type RunRecord } from '../../../runners/report/record.js';

const suite = 'websocket-agent-events';
const goneDeadlineMs = 30_000;
const intervalMs = 100;

/** Runs of one state of their own, which can be told from everybody else's on this machine. */
export async function newWard() {
  const id = randomUUID().slice(0, 8);
  const branch = `chaos-${id}`;
  const state = await mkdtemp(path.join(tmpdir(), 'rehearsal-chaos-'));
  const backend = pathToFileURL(state).href;
  const engine = dockerEngine(connectDocker(resolveDockerHost()));
  const mark = `RUNNER_TRACKING_ID=${id}`;

  /** What there is of the ward's runs, in words. */
  const remains = async (): Promise<string[]> => {
    const resources = await engine.everything();
    const { leases } = await readLeases();
    const stacks = await readdir(path.join(state, '.pulumi', 'stacks', 'rehearsal')).catch(() => []);
    return [
      ...resources
        .filter(({ labels }) => labels[labelKeys.branch] === branch)
        .map(({ kind, name }) => `${kind} ${name}`),
      ...leases.filter((lease) => lease.backend === backend).map(({ stack }) => `lease of ${stack}`),
      ...stacks.filter((name) => name.endsWith('.json')).map((name) => `state ${name}`),
      ...processesOf({ mark }).map(({ name, pid }) => `process ${name} (${String(pid)})`),
    ];
  };

  return {
    mark,
    /** `npm start` but for npm itself, as GitHub starts it for a push to the ward's branch. */
    start() {
      const subprocess = execa(
        process.execPath,
        ['engine/bootstrap.mjs', 'run', '--profile', 'small', '--suite', suite],
        {
          cwd: checkout,
          env: {
            PULUMI_BACKEND_URL: backend,
            GITHUB_ACTIONS: 'true',
            GITHUB_REF: `refs/heads/${branch}`,
            RUNNER_TRACKING_ID: id,
          },
          stdin: 'ignore',
          all: true,
          reject: false,
        },
      );
      let output = '';
      subprocess.all.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
      let hasEnded = false;
      const ended = subprocess.then(() => {
        hasEnded = true;
      });
      const options = { what: 'the end of the run', intervalMs: 10 };
      return {
        ended,
        hasEnded: () => hasEnded,
        output: () => output,
        kill: (signal: NodeJS.Signals) => subprocess.kill(signal),
        endsWithin: (deadlineMs: number): Promise<boolean> =>
          waitUntil(() => Promise.resolve(hasEnded), Boolean, { ...options, deadlineMs }).catch(() => false),
      };
    },
    /** @returns how long it took. @throws DeadlineExceededError that says what is left. */
    async untilNothingIsLeft(): Promise<number> {
      const startedMs = performance.now();
      let left: string[] = [];
      const look = async (): Promise<number> => (left = await remains()).length;
      const options = { what: 'the end of what was left', deadlineMs: goneDeadlineMs, intervalMs };
      await waitUntil(look, (count) => count === 0, options).catch((cause: unknown) => {
        throw new Error(`after ${String(goneDeadlineMs / 1000)} s there is left: ${left.join(', ')}`, {
          cause,
        });
      });
      return performance.now() - startedMs;
    },
    /** The records of the ward's runs, newest last. */
    async records(): Promise<{ record: RunRecord; folder: string }[]> {
      const folder = path.join(checkout, runsFolder);
      const found: { record: RunRecord; folder: string }[] = [];
      for (const name of (await readdir(folder).catch(() => [])).sort()) {
        const text = await readFile(path.join(folder, name, 'record.json'), 'utf8').catch(() => undefined);
        if (text?.includes(`"${branch}"`) !== true) continue;
        found.push({ record: runRecordSchema.parse(JSON.parse(text)), folder: path.join(folder, name) });
      }
      return found;
    },
    async dismiss(): Promise<void> {
      await rm(state, { recursive: true });
    },
  };
}
export type Ward = Awaited<ReturnType<typeof newWard>>;

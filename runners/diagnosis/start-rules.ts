import { profiles, type ServiceName } from '../../components/services.js';
import {
  lastLines,
  linesOf,
  limitOf,
  logEvidence,
  msBetween,
  variableOf,
  type Case,
  type LogLine,
} from './case.js';
import { rule, type Rule } from './facts.js';
import { mib } from './numbers.js';

/** What keeps an environment from coming up. */

const nanosecondsPerMs = 1e6;
/** Of what had come up when the memory was full, this much, so that some is left for the load. */
const workersShare = 0.8;

const inPhaseUp = ({ suite: { outcome } }: Case): boolean =>
  outcome.kind === 'errored' && outcome.phase === 'up';

/** The workers of the backend that have said that they listen. */
function listeningWorkers(of: Case): LogLine[] {
  const byWorker = new Map<string, LogLine>();
  for (const line of linesOf(of, 'backend')) {
    const [, worker] = /"worker":(\d+),"msg":"Server listening/.exec(line.text) ?? [];
    if (worker !== undefined && worker !== '0') byWorker.set(worker, line);
  }
  return [...byWorker.values()];
}

export const startRules: readonly Rule[] = [
  rule({
    id: 'interrupted',
    explains: ['symptom'],
    needs: "an interruption, or the reason why the suite wasn't begun",
    causeOf(effect, { suite: { outcome } }) {
      if (effect.crash !== undefined) return undefined;
      if (outcome.kind !== 'interrupted' && outcome.kind !== 'not run') return undefined;
      const says = outcome.kind === 'interrupted' ? 'somebody interrupted the run' : outcome.reason;
      return {
        kind: 'root',
        says,
        evidence: [{ kind: 'outcome', text: says }],
        link: 'it never got to its end',
      };
    },
  }),
  rule({
    id: 'start-period',
    explains: ['unhealthy'],
    needs:
      "a service unhealthy on the environment's way up, probes of which none succeeded, and a line of its log from between them: it was still starting",
    recommends:
      'a start period: twice the time for which it had been starting, at least that of the profile standard',
    causeOf({ crash: { service, at } }, of) {
      const inspect = of.artifacts[service]?.inspect;
      const check = inspect?.Config.Healthcheck;
      const probes = inspect?.State.Health?.Log ?? [];
      const startedMs = msBetween(inspect?.State.StartedAt, at);
      const [firstProbe] = probes;
      if (!inPhaseUp(of) || inspect === undefined || check === undefined || startedMs === undefined)
        return undefined;
      if (firstProbe === undefined || probes.some(({ ExitCode }) => ExitCode === 0)) return undefined;
      const isLater = ({ at: saidAt }: LogLine): boolean => (msBetween(firstProbe.Start, saidAt) ?? -1) >= 0;
      const [line] = lastLines(of, service, 1, isLater);
      if (line === undefined) return undefined;
      const fromSeconds = check.StartPeriod / nanosecondsPerMs / 1000;
      const startedSeconds = startedMs / 1000;
      const standard = profiles.standard.services[service as ServiceName].healthCheck.startPeriodSeconds;
      const toSeconds = Math.max(Math.ceil((2 * startedSeconds) / 10) * 10, standard);
      return {
        kind: 'root',
        says: `${service} was still starting after ${startedSeconds.toFixed(1)} s: its start period of ${String(fromSeconds)} s is too short`,
        evidence: [
          {
            kind: 'settings',
            service,
            text: `${String(probes.length)} probes failed, none succeeded; started at ${inspect.State.StartedAt}, start period ${String(fromSeconds)} s, ${String(check.Retries)} retries`,
          },
          logEvidence(line),
        ],
        link: 'its log went on between the failed probes',
        ...(toSeconds <= fromSeconds
          ? {}
          : {
              advice: {
                changes: [
                  {
                    kind: 'setting',
                    path: ['services', service, 'healthCheck', 'startPeriodSeconds'],
                    from: fromSeconds,
                    to: toSeconds,
                  },
                ],
                reason: `twice the ${startedSeconds.toFixed(1)} s for which it had been starting, and not below the ${String(standard)} s of the profile standard`,
              },
            }),
      };
    },
  }),
  rule({
    id: 'too-many-workers',
    explains: ['oom kill'],
    needs: "an OOM kill of the backend on the environment's way up, and its workers' lines that they listen",
    recommends: 'a worker count: four fifths of those that had come up',
    causeOf({ crash: { service } }, of) {
      const workers = Number(variableOf(of, 'backend', 'WEB_CONCURRENCY'));
      const listening = listeningWorkers(of);
      const [line] = listening.slice(-1);
      if (service !== 'backend' || !inPhaseUp(of) || line === undefined || !(workers > 1)) return undefined;
      const to = Math.max(1, Math.floor(listening.length * workersShare));
      const limitMb = limitOf(of, service);
      return {
        kind: 'root',
        says: `${String(listening.length)} of its ${String(workers)} workers had come up when they filled ${mib(limitMb)}, before there was any user`,
        evidence: [logEvidence(line)],
        link: 'the last of them came up before the kill',
        ...(to >= workers
          ? {}
          : {
              advice: {
                changes: [{ kind: 'setting', path: ['services', 'backend', 'workers'], from: workers, to }],
                reason: `${mib(limitMb)} held ${String(listening.length)} idle workers; ${String(to)} leave a fifth for their users`,
              },
            }),
      };
    },
  }),
];

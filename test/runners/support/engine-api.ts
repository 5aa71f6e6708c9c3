import type { RequestListener, ServerResponse } from 'node:http';
import { labelKeys } from '../../../components/labels.js';
import { serviceNames } from '../../../components/services.js';
import { runId } from './fakes.js';

/** What a request is about; `service` when it is about one container. */
interface Question {
  service: string;
  /** An answer that goes on until the client has enough. */
  streaming: boolean;
}
export type Answer = (response: ServerResponse, question: Question) => void;

/** Questions that the runner asks the engine. */
export type Asked = 'info' | 'events' | 'list' | 'inspect' | 'logs' | 'stats' | 'volumes' | 'networks';

const mb = 1024 * 1024;
const tickMs = 20;

export const json =
  (body: unknown): Answer =>
  (response) => {
    response.end(JSON.stringify(body));
  };

export const refuses: Answer = (response) => {
  response.writeHead(500).end('{"message":"the disk is broken"}');
};

/** Containers that `docker ps` shows, in an environment where all is well. */
export const allContainers = serviceNames.map((service) => ({ Id: `${service}-id`, Names: [`/${service}`] }));

export function inspected(service: string, state: object = {}): object {
  return {
    Config: { Labels: { [labelKeys.service]: service }, Env: [] },
    State: { Running: true, OOMKilled: false, ExitCode: 0, ...state },
    NetworkSettings: { Networks: {} },
  };
}

/** The engine's events of their creation. */
export const createdOf = (services: readonly string[]): string =>
  services
    .map((service) => {
      const labels = {
        [labelKeys.run]: runId,
        [labelKeys.suite]: 'chat',
        [labelKeys.service]: service,
      };
      const event = {
        Action: 'create',
        timeNano: 1e18,
        Actor: { ID: `${service}-id`, Attributes: labels },
      };
      return `${JSON.stringify(event)}\n`;
    })
    .join('');

/** What befell one of them. */
export const eventOf = (service: string, action: string): string =>
  `${JSON.stringify({ Action: action, timeNano: 1e18, Actor: { ID: `${service}-id`, Attributes: {} } })}\n`;

/** One look at a container's memory. */
export const statsOf = (usedMb: number, readAtMs = Date.now()): string =>
  `${JSON.stringify({ read: new Date(readAtMs).toISOString(), memory_stats: { usage: usedMb * mb, stats: {} } })}\n`;

/** Sends a line again and again, if the client wants more than one. */
export const stats =
  (line: (sent: number) => string | undefined): Answer =>
  (response, { streaming }) => {
    if (!streaming) {
      response.end(line(0) ?? '');
      return;
    }
    let sent = 0;
    const timer = setInterval(() => {
      const text = line((sent += 1));
      if (text === undefined) response.end();
      else response.write(text);
    }, tickMs);
    response.on('close', () => {
      clearInterval(timer);
    });
  };

const well: Record<Asked, Answer> = {
  info: json({
    ServerVersion: '20.10.24',
    OperatingSystem: 'os',
    KernelVersion: 'k',
    NCPU: 2,
    MemTotal: 24_000 * mb,
  }),
  events(response) {
    response.write(createdOf(serviceNames));
  },
  list: json(allContainers),
  inspect(response, { service }) {
    response.end(JSON.stringify(inspected(service)));
  },
  logs(response) {
    response.end();
  },
  stats: stats(() => statsOf(40)),
  volumes: json({ Volumes: [] }),
  networks: json([]),
};

/** The Docker Engine's API around an environment in which all is well, but for the given answers. */
export function engineApi(changes: Partial<Record<Asked, Answer>> = {}): RequestListener {
  return ({ url = '', method }, response) => {
    if (method === 'DELETE' || url.endsWith('/kill')) {
      response.writeHead(204).end();
      return;
    }
    const { pathname, searchParams } = new URL(url, 'http://engine');
    const [, kind = '', name = '', what] = pathname.split('/');
    const asked = (
      kind !== 'containers' ? kind : name === 'json' ? 'list' : what === 'json' ? 'inspect' : what
    ) as Asked;
    const streaming = searchParams.get('stream') !== 'false' && searchParams.get('stream') !== '0';
    ({ ...well, ...changes })[asked](response, { service: name.replace('-id', ''), streaming });
  };
}

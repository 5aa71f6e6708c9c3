import { existsSync } from 'node:fs';
import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { waitUntil } from '../../engine/wait.js';
import { cgroupOf, type CgroupOf } from '../../runners/cgroup.js';
import type { EventWatch } from '../../runners/event-watch.js';
import { parseStats, sampleMemory, type Clocks } from '../../runners/memory.js';
import type { Watched } from '../../runners/memory-summary.js';
import { temporaryFolder } from '../helpers/temporary.js';
import { fakeDaemon } from './support/fake-daemon.js';
import { fakeWatch } from './support/fakes.js';

const mb = 1024 * 1024;
const read = '2026-01-02T03:04:05.123456789Z';
const readAtMs = Date.parse(read);

describe('a line of stats', () => {
  test('of cgroup v1 leaves inactive page cache out and has the kernel peak', () => {
    const stats = {
      read,
      memory_stats: {
        usage: 100 * mb,
        max_usage: 130 * mb,
        stats: { total_inactive_file: 30 * mb, inactive_file: 1 },
      },
    };
    expect(parseStats(stats)).toEqual({ readAtMs, usedMb: 70, kernelPeakMb: 130 });
  });

  test('of cgroup v2 leaves inactive page cache out and has no kernel peak', () => {
    const stats = { read, memory_stats: { usage: 100 * mb, stats: { inactive_file: 40 * mb } } };
    expect(parseStats(stats)).toEqual({ readAtMs, usedMb: 60 });
  });

  test.each([
    ['a container that has ended', { read, memory_stats: {} }],
    ['a container without memory', { read, memory_stats: { usage: 0, stats: {} } }],
    ['nobody knows when', { read: 'now', memory_stats: { usage: mb, stats: {} } }],
    ['a host whose kernel counts no memory', { read }],
    ['something else', undefined],
  ])('of %s is no sample', (_, stats) => {
    expect(parseStats(stats)).toBeUndefined();
  });
});

/** How the engine sends one container's stats; it has sent `sent` lines before. */
type Behaviour = (response: ServerResponse, sent: number) => 'more' | 'no more';

const statsLine = (atMs = Date.now(), usedMb = 50): string =>
  `${JSON.stringify({ read: new Date(atMs).toISOString(), memory_stats: { usage: usedMb * mb, stats: {} } })}\n`;
const sends =
  (line: () => string): Behaviour =>
  (response) => {
    response.write(line());
    return 'more';
  };
const well = sends(statsLine);
const afterTwo =
  (then: (response: ServerResponse) => void): Behaviour =>
  (response, sent) => {
    if (sent < 2) return well(response, sent);
    then(response);
    return 'no more';
  };

interface Source {
  redis?: Behaviour;
  auth?: Behaviour;
  clocks?: Clocks;
  /** What happens to a container, told when the sampling begins. */
  events?: Pick<EventWatch, 'onEvent'>;
  /** Answers a single look, for which nothing is streamed. */
  look?: () => string;
  findCgroup?: CgroupOf;
}

/** Samples two services until each of those that go on has sent some lines, then does something to the file. */
async function sampled(
  {
    redis = well,
    auth = well,
    clocks,
    events = fakeWatch(),
    look = statsLine,
    findCgroup = cgroupOf,
  }: Source,
  harm: (file: string) => Promise<void> = () => Promise.resolve(),
): Promise<Watched> {
  const behaviours = { redis, auth };
  const sent = { redis: 0, auth: 0 };
  const going = new Set<string>(['redis', 'auth']);
  const docker = await fakeDaemon(({ url = '' }, response) => {
    const service = url.includes('/redis-id/') ? 'redis' : 'auth';
    if (url.endsWith('/json')) {
      response.end('{"State":{"Pid":0}}'); // On another machine.
      return;
    }
    if (url.includes('stream=false')) {
      response.end(look());
      return;
    }
    const timer = setInterval(() => {
      if (behaviours[service](response, sent[service]) === 'more') {
        sent[service] += 1;
        return;
      }
      clearInterval(timer);
      going.delete(service);
    }, 5);
    response.on('close', () => {
      clearInterval(timer);
    });
  });
  const file = path.join(temporaryFolder('memory'), 'memory.jsonl');
  const containers = (['redis', 'auth'] as const).map((service) => ({
    service,
    containerId: `${service}-id`,
    limitMb: 96,
  }));
  const watch = await sampleMemory(docker, containers, file, events, findCgroup, clocks);
  await waitUntil(
    () => Promise.resolve([...going].every((service) => sent[service as 'redis' | 'auth'] > 5)),
    (enough) => enough,
    { what: 'samples', deadlineMs: 20_000, intervalMs: 5 },
  );
  await harm(file);
  return watch.stop();
}

const gapsOf = ({ memory }: Watched): unknown => (memory.measured ? memory.value.gaps : memory);

describe('sampling', () => {
  test('of an engine that answers well has no gap and one clock', async () => {
    const watched = await sampled({});
    expect(gapsOf(watched)).toEqual([]);
    expect(watched.memory).toMatchObject({ value: { peakMb: 100, services: { redis: { peakMb: 50 } } } });
    if (!watched.clock.measured) throw new Error(watched.clock.reason);
    expect(watched.clock.value.engineAheadMs).toBeLessThanOrEqual(1);
    expect(watched.clock.value.setByMs).toBeLessThan(3);
  });

  test.each([
    ['ends', (response: ServerResponse) => response.end(), 'the engine ended them'],
    ['breaks off', (response: ServerResponse) => response.destroy(), 'aborted'],
  ])('names the one service whose stream %s in mid-suite', async (_, ending, reason) => {
    const gaps = gapsOf(await sampled({ redis: afterTwo(ending) }));
    expect(gaps).toEqual([expect.stringMatching(`^the memory samples of redis broke off: .*${reason}$`)]);
  });

  test('names every service when all streams end', async () => {
    const ends = afterTwo((response) => response.end());
    expect(gapsOf(await sampled({ redis: ends, auth: ends }))).toEqual([
      'the memory samples of redis broke off: the engine ended them',
      'the memory samples of auth broke off: the engine ended them',
    ]);
  });

  test('names a service of which the engine refuses to tell', async () => {
    const refuses: Behaviour = (response) => {
      response.writeHead(500).end('{"message":"no cgroup"}');
      return 'no more';
    };
    expect(gapsOf(await sampled({ redis: refuses }))).toEqual([
      expect.stringMatching(/^the memory samples of redis broke off: .*no cgroup/),
    ]);
  });

  test('names a service whose stream goes on without a word', async () => {
    let aheadMs = 0;
    const clocks: Clocks = { wallMs: () => Date.now(), tickMs: () => performance.now() + aheadMs };
    // The look at the end is a sample again, and hides nothing.
    const falls = afterTwo(() => {
      aheadMs = 6_000;
    });
    expect(gapsOf(await sampled({ redis: falls, auth: falls, clocks }))).toEqual([
      expect.stringMatching(/^no memory sample of redis for \d+\.\d s$/),
      expect.stringMatching(/^no memory sample of auth for \d+\.\d s$/),
    ]);
  });

  test('looks first and last where the kernel tells, not at what the engine would tell later', async () => {
    let usedMb = 20;
    const asked: string[] = [];
    const watched = await sampled(
      {
        redis: () => 'no more',
        auth: () => 'no more',
        look: () => {
          asked.push('engine');
          return statsLine();
        },
        findCgroup: () => ({ counters: () => ({ oomKills: 0 }), usedMb: () => usedMb }),
      },
      () => {
        usedMb = 30;
        return Promise.resolve();
      },
    );
    expect(gapsOf(watched)).toEqual([]);
    expect(watched.memory).toMatchObject({
      value: { sampleCount: 4, peakMb: 60, services: { redis: { baselineMb: 20, peakMb: 30 } } },
    });
    expect(asked).toEqual([]);
  });

  test('names a service of which nothing was ever told', async () => {
    const silent: Behaviour = () => 'no more';
    const look = (): string => '{"memory_stats":{}}';
    expect(gapsOf(await sampled({ redis: silent, look }))).toEqual(['no memory sample of redis']);
  });

  test.each([
    ['is garbage', 'garbage\n'],
    ['is of a container that has ended', `{"read":"${read}","memory_stats":{}}\n`],
  ])('names a service whose stream %s', async (_, line) => {
    expect(gapsOf(await sampled({ redis: sends(() => line) }))).toEqual([
      "a memory sample of redis can't be read",
    ]);
  });

  test.each([
    ['cut short', (file: string) => truncate(file, 50), 'memory.jsonl: line 1 is damaged'],
    ['gone', (file: string) => rm(file), 'memory.jsonl'],
    ['overwritten', (file: string) => writeFile(file, ''), 'were written'],
  ])('is not measured when its file is %s', async (_, harm, reason) => {
    const { memory, clock } = await sampled({}, harm);
    expect(memory).toEqual({ measured: false, reason: expect.stringContaining(reason) });
    expect(clock).toEqual(memory);
  });

  test("is not measured when its file can't be written", async () => {
    const docker = await fakeDaemon((_, response) => response.end(statsLine()));
    const file = path.join(temporaryFolder('memory'), 'nonesuch', 'memory.jsonl');
    const container = { service: 'redis', containerId: 'redis-id', limitMb: 96 } as const;
    const watch = await sampleMemory(docker, [container], file, fakeWatch(), cgroupOf);
    const { memory } = await watch.stop();
    expect(existsSync(file)).toBe(false);
    expect(memory).toEqual({
      measured: false,
      reason: expect.stringContaining("the memory samples can't be written: ENOENT"),
    });
  });

  test('shows that the clock of the engine is ahead of ours, also when only for a while', async () => {
    let sent = 0;
    const jumps = sends(() => statsLine(Date.now() + ((sent += 1) === 3 ? 60_000 : 0)));
    const { clock } = await sampled({ redis: jumps });
    if (!clock.measured) throw new Error(clock.reason);
    expect(clock.value.engineAheadMs).toBeGreaterThan(30_000);
  });

  test.each([90, -90])('shows that our clock was set by %i ms in mid-suite', async (byMs) => {
    let looks = 0;
    const clocks: Clocks = {
      wallMs: () => Date.now() + ((looks += 1) > 4 ? byMs : 0),
      tickMs: () => performance.now(),
    };
    const { clock } = await sampled({ clocks });
    if (!clock.measured) throw new Error(clock.reason);
    expect(Math.round(clock.value.setByMs / 10)).toBe(9);
  });

  test('keeps each sample on disk as it comes', async () => {
    await sampled({}, async (file) => {
      const lines = async (): Promise<number> => (await readFile(file, 'utf8')).split('\n').length - 1;
      await waitUntil(lines, (count) => count > 10, { what: 'lines', deadlineMs: 20_000, intervalMs: 5 });
    });
  });
});

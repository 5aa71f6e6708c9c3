import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { serviceNames } from '../../components/services.js';
import { waitUntil } from '../../engine/wait.js';
import { patience, request, startApplication, type Application } from './support/application.js';

/** The sample application when something in it breaks: what docs/application.md promises for that. */
let app: Application;

beforeAll(async () => {
  app = await startApplication('application');
}, 600_000);
afterEach(() => app.disconnect());
afterAll(() => app.stop(), 300_000);

/** The engine chooses another port whenever a container starts. */
async function findBackendAgain(): Promise<void> {
  const { NetworkSettings } = await app.containerOf('backend').inspect();
  const address = `127.0.0.1:${NetworkSettings.Ports['8080/tcp']?.[0]?.HostPort ?? ''}`;
  app.outputs.endpoints.backendUrl = `http://${address}`;
  app.outputs.endpoints.backendWebSocketUrl = `ws://${address}/ws`;
}

const killWorker = (worker: number | undefined): Promise<number | null> =>
  app.exec(
    'backend',
    `for process in /proc/[0-9]*; do
       tr '\\0' '\\n' <$process/environ | grep -qx WORKER_NUMBER=${worker} && kill -9 \${process#/proc/}
     done`,
  );

test('a killed worker is replaced; its run fails for everybody to see, those of others go on', async () => {
  const [thread, neighbours] = [await app.newThread(), await app.newThread()];
  const first = await app.follow(thread);
  const onAnother = (worker: number | undefined): boolean => worker !== first.worker;
  const witness = await app.followOn(thread, onAnother);
  const neighbour = await app.followOn(neighbours, onAnother);
  await app.whilePaused('llm', async () => {
    for (const subscriber of [first, neighbour]) {
      subscriber.say('calculate 6 * 7');
      await subscriber.seen('agent_thinking');
    }
    await killWorker(first.worker);
    await first.closed();
    // The replacement ends what its predecessor left.
    const [failed] = await witness.seen('agent_failed');
    expect(failed?.data).toMatchObject({ error: 'internal' });
    const { token } = thread;
    const { body } = await request('GET', `${app.outputs.endpoints.backendUrl}/runs/${failed?.runId}`, {
      token,
    });
    expect(body).toMatchObject({ status: 'failed', error: 'internal', content: null });
  });
  await neighbour.seen('agent_completed');
  expect(neighbour.seqs()).toEqual([1, 2, 3, 4, 5, 6]);

  await app.untilHealthy();
  const second = await app.followOn(thread, (worker) => worker === first.worker);
  second.say('still there?');
  await second.seen('agent_completed');
  expect(second.seqs()).toEqual([1, 2, 3, 4, 5, 6]);
  // At another worker, which may be later.
  await witness.seen('agent_completed');
  expect(witness.seqs()).toEqual(second.seqs());
  // What the killed one had emitted in its last moments, too.
  const logged = await waitUntil(
    () => app.loggedSeqs(thread),
    ({ length }) => length >= 6,
    { what: 'rows in ClickHouse', ...patience },
  ).catch(() => app.loggedSeqs(thread));
  expect(logged).toEqual(second.seqs());
}, 60_000);

test('a subscriber that comes back in mid-run, to another worker, gets the whole run once', async () => {
  const thread = await app.newThread();
  const first = await app.follow(thread);
  const second = await app.whilePaused('llm', async () => {
    first.say('calculate 6 * 7');
    await first.seen('agent_thinking');
    first.leave();
    return app.followOn(thread, (worker) => worker !== first.worker);
  });
  await second.seen('agent_completed');
  expect(second.seqs()).toEqual([1, 2, 3, 4, 5, 6]);
}, 60_000);

test('password hashes give back the memory that they take', async () => {
  for (let batch = 0; batch < 5; batch += 1)
    await Promise.all(Array.from({ length: 20 }, () => app.newUser()));
  const { memory_stats: memory } = await app.containerOf('auth').stats({ stream: false });
  const usedMb = (memory.usage - memory.stats.cache) / 2 ** 20;
  // 32 MiB of its own and one hash of 16 MiB at a time; a hash kept by each thread would be more than 100 MiB.
  expect(usedMb).toBeLessThan(80);
}, 120_000);

test('subscribers get every event, once, though Redis went away between them', async () => {
  const subscriber = await app.follow(await app.newThread());
  subscriber.say('before');
  await subscriber.seen('agent_completed');
  await app.containerOf('redis').restart({ t: 5 });
  await app.untilHealthy();
  subscriber.say('after');
  await subscriber.seen('agent_completed', 2);
  expect(subscriber.seqs()).toEqual([1, 2, 3, 4, 5, 6]);
}, 60_000);

test("PgBouncer's health command and the backend's health tell of a database that hangs", async () => {
  await app.whilePaused('postgres', async () => {
    expect(await app.exec('pgbouncer', '/usr/local/bin/healthcheck >/dev/null 2>&1')).not.toBe(0);
    expect(await app.health()).toMatchObject({ status: 503, body: { postgres: 'unavailable', redis: 'ok' } });
  });
  await app.untilHealthy();
}, 60_000);

test('the frontend goes on without the backend, says so, and finds it again', async () => {
  const { frontendUrl } = app.outputs.endpoints;
  const answer = async (place: string): Promise<number> => (await fetch(`${frontendUrl}${place}`)).status;
  await app.containerOf('backend').stop();
  expect([await answer('/'), await answer('/health'), await answer('/api/threads')]).toEqual([200, 200, 502]);
  await app.containerOf('backend').start();
  await findBackendAgain();
  await waitUntil(
    () => answer('/api/threads'),
    (status) => status === 401,
    { what: 'the backend through the frontend', ...patience },
  );
  await app.untilHealthy();
}, 60_000);

test('no process has a password in its arguments', async () => {
  const { postgres, redis, clickhouse } = app.outputs.endpoints;
  for (const service of serviceNames) {
    const { Processes } = (await app.containerOf(service).top({ ps_args: '-eo pid,args' })) as {
      Processes: string[][];
    };
    const text = Processes.flat().join('\n');
    expect(text).not.toBe('');
    for (const { password } of [postgres, redis, clickhouse]) expect(text).not.toContain(password);
  }
}, 60_000);

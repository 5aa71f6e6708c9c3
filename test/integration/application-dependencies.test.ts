import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { waitUntil } from '../../engine/wait.js';
import { portOf } from '../faults/support/container-faults.js';
import { patience, request, startApplication, type Application, type Thread } from './support/application.js';

/** Within it a test has to see that a run has begun, and to break something. */
const llmTimeoutMs = 5000;

/** The sample application while something it needs doesn't answer or is full: docs/application.md says what then. */
let app: Application;

beforeAll(async () => {
  app = await startApplication('dependencies', {
    'rehearsal:services': { backend: { environment: { LLM_TIMEOUT_MS: String(llmTimeoutMs) } } },
  });
}, 600_000);
afterEach(() => app.disconnect());
afterAll(() => app.stop(), 300_000);

const backend = (method: 'GET' | 'POST', place: string, options: { token: string; body?: object }) =>
  request(method, `${app.outputs.endpoints.backendUrl}${place}`, options);

const titles = { postgres: 'PostgreSQL', redis: 'Redis' };
const isUnavailable = (dependency: keyof typeof titles) => ({
  status: 503,
  body: { error: `${dependency}_unavailable`, message: `${titles[dependency]} does not answer.` },
});

/** Subscribers of a run that nobody answers, on two workers. */
async function followHangingRun(thread: Thread) {
  const first = await app.follow(thread);
  const second = await app.followOn(thread, (worker) => worker !== first.worker);
  first.say('[llm:hang]');
  const [accepted] = await first.seen('accepted');
  await second.seen('agent_thinking');
  return { runId: String(accepted?.runId), subscribers: [first, second] };
}

async function connectRedis(): Promise<Redis> {
  const { host, password } = app.outputs.endpoints.redis;
  const port = await portOf(app.docker, app.outputs.services.redis.containerId);
  const redis = new Redis({ host, port, password });
  await redis.ping();
  return redis;
}

const untilFailed = ({ token }: Thread, runId: string) =>
  waitUntil(
    () => backend('GET', `/runs/${runId}`, { token }),
    ({ body }) => body.status === 'failed',
    { what: 'the run failed', ...patience },
  );

async function goesOn(thread: Thread): Promise<void> {
  const subscriber = await waitUntil(
    () => app.follow(thread).catch(() => undefined),
    (found) => found !== undefined,
    { what: 'the thread can be subscribed to again', ...patience },
  );
  subscriber?.say('hello again');
  await subscriber?.seen('agent_completed');
  await app.untilHealthy();
}

test('a PostgreSQL that hangs is named, and the run that it kept from ending ends', async () => {
  const thread = await app.newThread();
  const { runId, subscribers } = await followHangingRun(thread);
  await app.whilePaused('postgres', async () => {
    for (const { closed } of subscribers)
      expect(await closed()).toEqual({ code: 1013, reason: 'postgres_unavailable' });
    expect(await backend('GET', '/threads', thread)).toEqual(isUnavailable('postgres'));
    expect(await app.health()).toMatchObject({ status: 503, body: { postgres: 'unavailable', redis: 'ok' } });
    const account = { email: 'nobody@example.test', password: 'not this one' };
    const login = await request('POST', `${app.outputs.endpoints.authUrl}/login`, { body: account });
    expect(login).toEqual(isUnavailable('postgres'));
    expect(await app.health('auth')).toMatchObject({ status: 503, body: { postgres: 'unavailable' } });
  });
  // Until its connections have answered what they were asked meanwhile, it is unavailable to who comes again.
  await waitUntil(
    () => app.health(),
    ({ status }) => status === 200,
    { what: 'PostgreSQL, found again', deadlineMs: 30_000, intervalMs: 100 },
  );
  const [failed] = await (await app.follow(thread)).seen('agent_failed');
  expect(failed).toMatchObject({ runId, data: { error: 'llm_timeout' } });
  expect(await untilFailed(thread, runId)).toMatchObject({ body: { error: 'llm_timeout' } });
  await goesOn(thread);
}, 120_000);

test('a Redis that hangs is named, its run fails, and subscribers are told to come again', async () => {
  const thread = await app.newThread();
  const { runId, subscribers } = await followHangingRun(thread);
  await app.whilePaused('redis', async () => {
    for (const { closed } of subscribers)
      expect(await closed()).toEqual({ code: 1013, reason: 'redis_unavailable' });
    expect(await backend('GET', '/threads', thread)).toEqual(isUnavailable('redis'));
    expect(await app.health()).toMatchObject({ status: 503, body: { redis: 'unavailable', postgres: 'ok' } });
    expect(await app.health('auth')).toMatchObject({ status: 503, body: { redis: 'unavailable' } });
  });
  expect(await untilFailed(thread, runId)).toMatchObject({ body: { error: 'llm_timeout' } });
  await goesOn(thread);
}, 120_000);

test.each(['redis', 'postgres'] as const)(
  'a %s whose network is cut is named, and found again',
  async (service) => {
    const thread = await app.newThread();
    const { NetworkSettings } = await app.containerOf(service).inspect();
    const [network = ''] = Object.keys(NetworkSettings.Networks);
    const id = app.outputs.services[service].containerId;
    await app.docker.getNetwork(network).disconnect({ Container: id });
    try {
      expect(await backend('GET', '/threads', thread)).toEqual(isUnavailable(service));
      expect(await app.health()).toMatchObject({ status: 503, body: { [service]: 'unavailable' } });
    } finally {
      await app.docker.getNetwork(network).connect({ Container: id, EndpointConfig: { Aliases: [service] } });
    }
    await goesOn(thread);
  },
  120_000,
);

test('a full Redis fails its runs, tells the subscribers why, and takes no new run', async () => {
  // Before the run: while that hangs there is no time for more than a command.
  const redis = await connectRedis();
  const limitRedis = (bytes: string) => redis.config('SET', 'maxmemory', bytes);
  const isFull = { status: 503, body: { error: 'redis_full', message: 'Redis has no room left.' } };
  const thread = await app.newThread();
  const idle = await app.newThread();
  try {
    const { runId, subscribers } = await followHangingRun(thread);
    await limitRedis('1');
    for (const { closed } of subscribers)
      expect(await closed()).toEqual({ code: 1013, reason: 'redis_full' });
    expect(await untilFailed(thread, runId)).toMatchObject({ body: { error: 'llm_timeout' } });
    const { token, threadId } = idle;
    const message = backend('POST', `/threads/${threadId}/messages`, { token, body: { content: 'hello' } });
    expect(await message).toEqual(isFull);
    expect(await backend('GET', `/threads/${threadId}/messages`, { token })).toEqual({
      status: 200,
      body: { messages: [] },
    });
    await expect(app.newUser()).rejects.toThrow('redis_full');
  } finally {
    await limitRedis('48mb');
    redis.disconnect();
  }
  await goesOn(thread);
}, 120_000);

test('a PostgreSQL without disk space is named to the client and in the log', async () => {
  const thread = await app.newThread();
  const sql = (text: string) =>
    app.exec(
      'postgres',
      `PGPASSWORD=$POSTGRES_PASSWORD psql -v ON_ERROR_STOP=1 -h 127.0.0.1 -U $POSTGRES_USER -d $POSTGRES_DB -c "${text}"`,
    );
  // What PostgreSQL says when it can't extend a file, without filling the disk that everybody shares.
  await sql(`create function app.no_space() returns trigger language plpgsql as
    'begin raise exception using errcode = 53100, message = ''could not extend file''; end';
    create trigger no_space before insert on app.threads execute function app.no_space()`);
  try {
    expect(await backend('POST', '/threads', { token: thread.token, body: {} })).toEqual({
      status: 503,
      body: { error: 'postgres_full', message: 'PostgreSQL has no room left.' },
    });
    await waitUntil(
      () => app.logOf('backend'),
      (log) => log.includes('postgres_full'),
      { what: 'the backend logs it', ...patience },
    );
  } finally {
    await sql('drop trigger no_space on app.threads; drop function app.no_space()');
  }
  await goesOn(thread);
}, 60_000);

test('users go on while ClickHouse hangs, and their events are logged when it is back', async () => {
  const thread = await app.newThread();
  await app.whilePaused('clickhouse', async () => {
    expect(await app.health()).toMatchObject({ status: 503, body: { clickhouse: 'unavailable' } });
    const subscriber = await app.follow(thread);
    subscriber.say('hello');
    await subscriber.seen('agent_completed');
  });
  const logged = (): Promise<number[]> => app.loggedSeqs(thread);
  await waitUntil(logged, ({ length }) => length === 3, { what: 'three rows', ...patience });
}, 60_000);

test('an LLM that hangs is named, and fails the runs that need it', async () => {
  const thread = await app.newThread();
  const subscriber = await app.follow(thread);
  await app.whilePaused('llm', async () => {
    expect(await app.health()).toMatchObject({ status: 503, body: { llm: 'unavailable', postgres: 'ok' } });
    subscriber.say('hello');
    const [failed] = await subscriber.seen('agent_failed');
    expect(failed?.data).toMatchObject({ error: 'llm_timeout' });
  });
  await goesOn(thread);
}, 60_000);

test('many runs at once are nothing that the backend warns of', async () => {
  const threads = await Promise.all(Array.from({ length: 24 }, () => app.newThread()));
  await Promise.all(
    threads.map(async (thread) => {
      const subscriber = await app.follow(thread);
      subscriber.say('[llm:hang]');
      await subscriber.seen('agent_failed');
    }),
  );
  expect((await app.logOf('backend')).match(/.*Warning.*/g)).toBeNull();
}, 60_000);

import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import type Docker from 'dockerode';
import { labelKeys } from '../../components/labels.js';
import { waitUntil } from '../../engine/wait.js';
import { watchEvents, type EventWatch } from '../../runners/event-watch.js';

const scope = { runId: 'run', suite: 'suite' };

/** A watch of an engine that tells what it is told to tell. */
async function watchOf(): Promise<{ watch: EventWatch; tell: (action: string, more?: object) => void }> {
  const stream = new PassThrough();
  const docker = { getEvents: () => Promise.resolve(stream) } as unknown as Docker;
  const watch = await watchEvents(docker, scope);
  const labels = { [labelKeys.run]: 'run', [labelKeys.suite]: 'suite', [labelKeys.service]: 'redis' };
  const tell = (action: string, more: object = {}): void => {
    const event = { Action: action, timeNano: 1, Actor: { ID: 'abc', Attributes: { ...labels, ...more } } };
    stream.write(`${JSON.stringify(event)}\n`);
  };
  tell('create');
  return { watch, tell };
}

const actionsOf = async (stopped: ReturnType<EventWatch['stop']>): Promise<string[]> =>
  (await stopped).events.map(({ action }) => action);

test('an OOM kill that the engine tells after the end that it led to is seen', async () => {
  const { watch, tell } = await watchOf();
  tell('die', { exitCode: '137' });
  await sleep(20);
  const stopped = watch.stop();
  await sleep(100);
  tell('oom');
  expect(await actionsOf(stopped)).toEqual(['die', 'oom']);
});

test.each([
  ['of its own', { exitCode: '1' }, []],
  ['by a signal through the engine', { exitCode: '137' }, ['kill']],
  ['by an OOM kill', { exitCode: '137' }, ['oom']],
])('an end %s leaves nothing to wait for', async (_, exit, before) => {
  const { watch, tell } = await watchOf();
  for (const action of before) tell(action, { signal: '9' });
  tell('die', exit);
  await sleep(20);
  const stopped = watch.stop();
  await sleep(100);
  tell('oom');
  expect(await actionsOf(stopped)).toEqual([...before, 'die']);
});

test('an end that nobody explains is told as it is, after a second', async () => {
  const { watch, tell } = await watchOf();
  tell('die', { exitCode: '137' });
  await sleep(20);
  expect(await actionsOf(watch.stop())).toEqual(['die']);
});

const unhealthy = 'health_status: unhealthy';

test('a probe that fails because its container ends is not a finding of its own', async () => {
  const { watch, tell } = await watchOf();
  tell(unhealthy);
  await sleep(50);
  tell('die', { exitCode: '0' });
  await sleep(20);
  expect(watch.fault.reason).toMatchObject({ event: { action: 'die' } });
  expect(await actionsOf(watch.stop())).toEqual(['die']);
});

test('a failed health check ends the suite, and what comes later does not hide it', async () => {
  const { watch, tell } = await watchOf();
  tell(unhealthy);
  await waitUntil(
    () => Promise.resolve(watch.fault.aborted),
    (aborted) => aborted,
    { what: 'the fault', deadlineMs: 10_000, intervalMs: 20 },
  );
  tell('die', { exitCode: '1' });
  await sleep(20);
  expect(watch.fault.reason).toMatchObject({ event: { action: 'unhealthy' } });
  expect(await actionsOf(watch.stop())).toEqual(['unhealthy', 'die']);
});

test('an OOM kill is waited for after an end that a failed health check told of', async () => {
  const { watch, tell } = await watchOf();
  tell(unhealthy);
  await sleep(20);
  const stopped = watch.stop();
  tell('die', { exitCode: '137' });
  await sleep(400);
  tell('oom');
  expect(await actionsOf(stopped)).toEqual(['die', 'oom']);
});

test('a failed health check that may count is waited for', async () => {
  const { watch, tell } = await watchOf();
  tell(unhealthy);
  await sleep(20);
  await watch.settled();
  expect(watch.fault.aborted).toBe(true);
});

test('a watch that stops right after a failed health check tells of it', async () => {
  const { watch, tell } = await watchOf();
  tell(unhealthy);
  await sleep(20);
  expect(await actionsOf(watch.stop())).toEqual(['unhealthy']);
});

import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { waitUntil } from '../../engine/wait.js';
import { patience, startApplication, type Application } from './support/application.js';

/** What agents remember of their users (AGENT_CONTEXT_BYTES): docs/application.md says how long. */
const contextMb = 32;
const userCount = 5;
/** For what a worker needs besides to serve the test's few requests. */
const toleranceMb = 48;
const bytesPerMb = 1024 * 1024;

let app: Application;

beforeAll(async () => {
  const environment = { AGENT_CONTEXT_BYTES: String(contextMb * bytesPerMb) };
  app = await startApplication('context', { 'rehearsal:services': { backend: { environment } } });
}, 600_000);
afterEach(() => app.disconnect());
afterAll(() => app.stop(), 300_000);

/** The backend's memory without page cache. cgroup v1 and v2 name it differently. */
async function usedMb(): Promise<number> {
  const { memory_stats: memory } = await app.containerOf('backend').stats({ stream: false });
  const pages = memory.stats as unknown as { total_rss?: number; anon?: number };
  return (pages.total_rss ?? pages.anon ?? Number.NaN) / bytesPerMb;
}

test("the backend grows by a context per user, kept once whichever workers run the user's agents, until the user leaves", async () => {
  const beforeMb = await usedMb();
  const threads = await Promise.all(Array.from({ length: userCount }, () => app.newThread()));
  const subscribers = await Promise.all(threads.map(app.follow));
  for (let run = 1; run <= 4; run += 1) {
    for (const subscriber of subscribers) subscriber.say('hello');
    await Promise.all(subscribers.map((subscriber) => subscriber.seen('agent_completed', run)));
    // The next run starts on another worker for some of them. Somebody follows all the time: who has left is forgotten.
    for (const [index, thread] of threads.entries()) {
      const next = await app.follow(thread);
      subscribers[index]?.leave();
      subscribers[index] = next;
    }
  }
  const grownMb = (await usedMb()) - beforeMb;
  expect(grownMb).toBeGreaterThan(userCount * contextMb * 0.9);
  expect(grownMb).toBeLessThan(userCount * contextMb + toleranceMb);

  for (const subscriber of subscribers) subscriber.leave();
  await waitUntil(usedMb, (mb) => mb < beforeMb + toleranceMb, {
    what: 'the contexts are given back',
    ...patience,
  });
}, 120_000);

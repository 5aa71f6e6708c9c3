import { existsSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { RunRecord } from '../../runners/report/record.js';
import type { Dependencies } from '../../runners/preparation.js';
import {
  failedRun,
  fakeEngine,
  fakeLeases,
  fakeStacks,
  fakeSuites,
  keptUntil,
  outputs,
  passedRun,
  password,
  planFor,
  type Calls,
} from './support/fakes.js';
import { fails, outcomes, runWith } from './support/run-with.js';

describe('a run', () => {
  test('answers for a stack from before it is made until after it is gone', async () => {
    const calls: Calls = [];
    await runWith(calls, { leases: fakeLeases(calls), plan: planFor(['one']) });
    expect(calls).toEqual(['lease one', 'create one', 'up one', 'suite one', 'destroy one', 'no lease one']);
  });

  test('still answers for a stack that it could not destroy', async () => {
    const calls: Calls = [];
    const stacks = fakeStacks(calls, { destroy: fails('the daemon is gone') });
    await runWith(calls, { leases: fakeLeases(calls), stacks, plan: planFor(['one']) });
    expect(calls).not.toContain('no lease one');
  });

  test('saves a record before the first suite that says what a killed runner leaves unsaid', async () => {
    const saved: RunRecord[] = [];
    await runWith([], { saved });
    // Either may come to its end first: while one is being destroyed, the other runs.
    expect(saved.map(({ suites }) => suites.map(({ outcome }) => outcome.kind).sort())).toEqual([
      ['not run', 'not run'],
      ['not run', 'passed'],
      ['passed', 'passed'],
    ]);
    expect(saved.map(({ verdict }) => verdict.decision)).toEqual(['no-go', 'no-go', 'go']);
  });

  test('gives each suite an environment of its own and destroys it', async () => {
    const calls: Calls = [];
    const record = await runWith(calls);
    for (const suite of ['one', 'two']) {
      const own = calls.filter((call) => call.endsWith(suite));
      expect(own).toEqual([`create ${suite}`, `up ${suite}`, `suite ${suite}`, `destroy ${suite}`]);
    }
    expect(record.verdict.decision).toBe('go');
    expect(record.suites.map(({ stack }) => stack)).toEqual(['main--tabc123xyz-one', 'main--tabc123xyz-two']);
  });

  test("hands the settings on, with the run's labels and what decrypts secrets", async () => {
    const stacks = fakeStacks([]);
    await runWith([], { stacks, plan: planFor(['one']) });
    expect(stacks.requests[0]?.settings).toEqual({
      encryptionsalt: 'v1:salt',
      config: {
        'rehearsal:profile': 'small',
        'rehearsal:run': { id: 'tabc123xyz', suite: 'one', branch: 'main', owner: 'somebody' },
      },
    });
  });

  test('lets the suite read the endpoints, nobody else, and not after the destroy', async () => {
    let mode = 0;
    let endpoints: unknown;
    let file = '';
    const suites = fakeSuites([], async ({ environmentFile }) => {
      file = environmentFile;
      mode = (await stat(file)).mode & 0o777;
      endpoints = JSON.parse(await readFile(file, 'utf8'));
      return passedRun;
    });
    await runWith([], { suites, plan: planFor(['one']) });
    expect(mode).toBe(0o600);
    expect(endpoints).toEqual(outputs.endpoints);
    expect(existsSync(file)).toBe(false);
  });

  test('keeps what every container said, without passwords', async () => {
    const plan = planFor(['one']);
    const suites = fakeSuites([], async ({ folder }) => {
      await writeFile(path.join(folder, 'suite.log'), `connecting with ${password}\n`);
      return passedRun;
    });
    await runWith([], { plan, suites });
    const read = (file: string): Promise<string> => readFile(path.join(plan.folder, 'one', file), 'utf8');
    expect(await read('logs/redis.log')).toBe('redis was told [redacted]\n');
    expect(await read('logs/redis.json')).toContain('PASSWORD=[redacted]');
    expect(await read('suite.log')).toBe('connecting with [redacted]\n');
  });

  test('has no password in its record, whoever quoted it', async () => {
    const suites = fakeSuites([], () =>
      Promise.resolve({
        ...failedRun,
        tests: {
          measured: true,
          value: [{ name: 'logs in', status: 'failed', durationMs: 1, failure: `refused: ${password}` }],
        },
      }),
    );
    const stacks = fakeStacks([], { up: fails(`redis said ${password}`) });
    for (const changes of [{ suites }, { stacks }]) {
      const record = JSON.stringify(await runWith([], { ...changes, plan: planFor(['one']) }));
      expect(record).toMatch(/(refused:|redis said) \[redacted\]/);
      expect(record).not.toContain(password);
    }
  });

  test('is refused before anything is made when the host is too small', async () => {
    const calls: Calls = [];
    const host = { ...(await fakeEngine().host()), memoryMb: 2_000 };
    const engine = fakeEngine({ host: () => Promise.resolve(host) });
    await expect(runWith(calls, { engine })).rejects.toThrow(/1712 MiB, the Docker host has 2000 MiB/);
    expect(calls).toEqual([]);
  });
});

describe('whatever happens, the environment is destroyed', () => {
  test('when a suite fails, and the next one gets its turn', async () => {
    const calls: Calls = [];
    const suites = fakeSuites(calls, ({ suite }) =>
      Promise.resolve(suite.name === 'one' ? failedRun : passedRun),
    );
    const record = await runWith(calls, { suites });
    expect(outcomes(record)).toEqual(['failed', 'passed']);
    expect(calls.filter((call) => call.startsWith('destroy'))).toEqual(['destroy one', 'destroy two']);
    expect(record.verdict.decision).toBe('no-go');
  });

  test('when it comes up only half-way: an error of the harness, not of the suite', async () => {
    const calls: Calls = [];
    const record = await runWith(calls, {
      stacks: fakeStacks(calls, { up: fails('no room') }),
      plan: planFor(['one']),
    });
    expect(calls).toEqual(['create one', 'up one', 'destroy one']);
    expect(record.suites[0]?.outcome).toEqual({ kind: 'errored', phase: 'up', message: 'no room' });
    expect(record.suites[0]?.destruction).toEqual({ kind: 'destroyed' });
  });

  test('when Pulumi was killed on its way up: what the state lacks goes first, as it would be in the way', async () => {
    const calls: Calls = [];
    const left = ['known', 'box'].map((name) => ({ kind: 'container' as const, name }));
    const holders = () => Promise.resolve(['known']);
    const engine = fakeEngine({
      leftovers: () => Promise.resolve(calls.includes('destroy one') ? [] : left),
      remove(found) {
        calls.push(...found.map(({ name }) => `remove ${name}`));
        return Promise.resolve();
      },
    });
    const stacks = fakeStacks(calls, { up: fails('killed'), holders });
    await runWith(calls, { stacks, engine, plan: planFor(['one']) });
    expect(calls).toEqual(['create one', 'up one', 'remove box', 'destroy one']);
  });

  test('when the suite runner throws', async () => {
    const calls: Calls = [];
    const record = await runWith(calls, {
      suites: fakeSuites(calls, fails('out of files')),
      plan: planFor(['one']),
    });
    expect(calls).toContain('destroy one');
    expect(record.suites[0]?.outcome).toEqual({ kind: 'errored', phase: 'suite', message: 'out of files' });
  });

  test('when the evidence cannot be had', async () => {
    const calls: Calls = [];
    const engine = fakeEngine({ reports: fails('inspect broke') });
    const record = await runWith(calls, { engine, plan: planFor(['one']) });
    expect(calls).toContain('destroy one');
    expect(record.suites[0]).toMatchObject({
      outcome: { kind: 'passed' },
      crashes: { measured: false },
      problems: ["the containers can't be inspected: inspect broke"],
    });
    expect(record.verdict.decision).toBe('no-go');
  });

  test('but not when there is nothing to destroy', async () => {
    const calls: Calls = [];
    const stacks = { ...fakeStacks(calls), create: fails('backend unreachable') };
    const record = await runWith(calls, { stacks, plan: planFor(['one']) });
    expect(calls).toEqual([]);
    expect(record.suites[0]).toMatchObject({
      outcome: { kind: 'errored', phase: 'create', message: 'backend unreachable' },
      destruction: { kind: 'nothing made' },
    });
  });

  test('unless it is to be kept for a look after a failure', async () => {
    const calls: Calls = [];
    const suites = fakeSuites(calls, ({ suite }) =>
      Promise.resolve(suite.name === 'one' ? failedRun : passedRun),
    );
    const record = await runWith(calls, { suites, plan: planFor(['one', 'two'], { keepOnFailure: true }) });
    expect(calls.filter((call) => call.startsWith('destroy'))).toEqual(['destroy two']);
    expect(record.suites[0]?.destruction).toEqual({
      kind: 'kept',
      command: 'destroy main--tabc123xyz-one',
      until: keptUntil,
    });
  });
});

describe('an error while tidying up', () => {
  test('stands beside the first error and does not replace it', async () => {
    const stacks = fakeStacks([], { up: fails('no room'), destroy: fails('locked') });
    const record = await runWith([], { stacks, plan: planFor(['one']) });
    expect(record.suites[0]).toMatchObject({
      outcome: { kind: 'errored', phase: 'up', message: 'no room' },
      destruction: { kind: 'failed', message: 'one: locked', command: 'destroy main--tabc123xyz-one' },
    });
  });

  test('makes a passed suite a no-go', async () => {
    const record = await runWith([], {
      stacks: fakeStacks([], { destroy: fails('locked') }),
      plan: planFor(['one']),
    });
    expect(outcomes(record)).toEqual(['passed']);
    expect(record.verdict.decision).toBe('no-go');
  });

  test('and so does what is left over after a destroy that claims success', async () => {
    const leftovers = [{ kind: 'volume' as const, name: 'data' }];
    const engine = fakeEngine({ leftovers: () => Promise.resolve(leftovers) });
    const record = await runWith([], { engine, plan: planFor(['one']) });
    expect(record.suites[0]?.destruction).toEqual({ kind: 'left over', leftovers });
    expect(record.verdict.decision).toBe('no-go');
  });

  test('and a check for leftovers that is not possible', async () => {
    const record = await runWith([], {
      engine: fakeEngine({ leftovers: fails('gone') }),
      plan: planFor(['one']),
    });
    expect(record.suites[0]?.destruction).toMatchObject({ kind: 'failed', message: 'one: gone' });
    expect(record.verdict.decision).toBe('no-go');
  });
});

describe('an error of the harness', () => {
  const firstUpFails = (calls: Calls): Dependencies['stacks'] => {
    let first = true;
    return fakeStacks(calls, {
      up() {
        if (!first) return Promise.resolve(outputs);
        first = false;
        return Promise.reject(new Error('no room'));
      },
    });
  };

  test('in one suite does not stop the others', async () => {
    const record = await runWith([], { stacks: firstUpFails([]) });
    expect(outcomes(record)).toEqual(['errored', 'passed']);
  });

  test('stops them when nothing can run any more', async () => {
    const calls: Calls = [];
    const host = await fakeEngine().host();
    let asked = 0;
    const engine = fakeEngine({
      host: () => (++asked === 1 ? Promise.resolve(host) : Promise.reject(new Error('no socket'))),
    });
    const record = await runWith(calls, { engine, stacks: firstUpFails(calls) });
    expect(calls).not.toContain('create two');
    expect(record.suites[1]?.outcome).toEqual({
      kind: 'not run',
      reason: 'the Docker Engine does not answer: no socket',
    });
    expect(record.verdict.decision).toBe('no-go');
  });
});

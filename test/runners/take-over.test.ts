import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import type { ContainerEngine } from '../../runners/docker.js';
import { messageOf } from '../../runners/errors.js';
import { StackLockedError } from '../../runners/pulumi.js';
import { takeOver, type TakeOverContext } from '../../runners/take-over.js';
import { temporaryFolder } from '../helpers/temporary.js';
import { fakeEngine, type Calls } from './support/fakes.js';
import { fails } from './support/run-with.js';

type Leftover = Parameters<ContainerEngine['remove']>[0][number];
const folder = temporaryFolder('take-over');
const known = { kind: 'container', name: 'known' } as const;
const container = { kind: 'container', name: 'box' } as const;
const volume = { kind: 'volume', name: 'data' } as const;

interface Setup {
  backend?: string;
  stacks?: Partial<TakeOverContext['stacks']>;
  engine?: Partial<ContainerEngine>;
}

/** The stack `one` is up: one container is in its state, for Pulumi to destroy, another and a volume are not. */
async function takenOver(setup: Setup): Promise<{ calls: Calls; error: string | undefined }> {
  const calls: Calls = [];
  const left: Leftover[] = [known, container, volume];
  const take = (isTaken: (leftover: Leftover) => boolean): string[] => {
    const taken = left.filter(isTaken);
    for (const each of taken) left.splice(left.indexOf(each), 1);
    return taken.map(({ name }) => `remove ${name}`);
  };
  const unused = fails('unused');
  const stacks: TakeOverContext['stacks'] = {
    names: () => Promise.resolve(['one', 'two']),
    adopt({ name, lockIsDead }) {
      calls.push(`adopt ${name}${lockIsDead ? ', breaking its lock' : ''}`);
      return Promise.resolve({
        destroyCommand: '',
        up: unused,
        holders: () => Promise.resolve(['known']),
        destroy() {
          calls.push(`destroy ${name}`);
          take((leftover) => leftover === known);
          return Promise.resolve();
        },
      });
    },
    ...setup.stacks,
  };
  const engine = fakeEngine({
    leftovers: () => Promise.resolve([...left]),
    remove(found) {
      calls.push(...take((leftover) => found.includes(leftover)));
      return Promise.resolve();
    },
    ...setup.engine,
  });
  const orphan = { stack: 'one', runId: 'tabc123xyz', suite: 'chat', backend: setup.backend ?? '' };
  const error = await takeOver(orphan, { stacks, engine, clouds: [], folder, onLine: () => undefined }).then(
    () => undefined,
    messageOf,
  );
  return { calls, error };
}

const byState = ['adopt one, breaking its lock', 'remove box', 'destroy one', 'remove data'];
const byLabels = ['remove known', 'remove box', 'remove data'];

describe('what a dead owner left', () => {
  test('is destroyed by its state, the containers that this lacks before and the rest after it', async () => {
    expect(await takenOver({})).toEqual({ calls: byState, error: undefined });
  });

  test('is removed by its labels when the state has no such stack', async () => {
    const stacks = { names: () => Promise.resolve(['two']) };
    expect(await takenOver({ stacks })).toEqual({ calls: byLabels, error: undefined });
  });

  test('is removed by its labels, with the reason why the state stays, when its state is damaged', async () => {
    const adopt = () =>
      Promise.resolve({
        ...{ destroyCommand: '', up: fails('unused') },
        ...{ holders: fails('damaged'), destroy: fails('one.json can’t be read') },
      });
    const { calls, error } = await takenOver({ stacks: { adopt } });
    expect(calls).toEqual(byLabels);
    expect(error).toBe('removed by its labels; its state stays: one.json can’t be read');
  });

  test('is destroyed by the state before the last change when a full disk has emptied the state', async () => {
    const states = path.join(folder, '.pulumi', 'stacks', 'rehearsal');
    mkdirSync(states, { recursive: true });
    const state = path.join(states, 'one.json');
    writeFileSync(state, '');
    writeFileSync(`${state}.bak`, '{"version": 3}');
    const backend = pathToFileURL(folder).href;
    let read: unknown;
    const names = (): Promise<string[]> => {
      read = JSON.parse(readFileSync(state, 'utf8'));
      return Promise.resolve(['one']);
    };
    expect(await takenOver({ backend, stacks: { names } })).toEqual({
      calls: byState,
      error: undefined,
    });
    expect(read).toEqual({ version: 3 });
  });

  test('is left to somebody who is at work on it', async () => {
    const adopt = () => Promise.reject(new StackLockedError('process 7 is at work on it'));
    expect(await takenOver({ stacks: { adopt } })).toEqual({
      calls: [],
      error: 'process 7 is at work on it',
    });
  });

  const unlisted = { names: fails('no such directory') };

  test('is removed by its labels when the folder with its state is gone', async () => {
    const backend = pathToFileURL(path.join(folder, 'gone')).href;
    const { calls, error } = await takenOver({ backend, stacks: unlisted });
    expect({ calls, error }).toEqual({ calls: byLabels, error: undefined });
  });

  test.each([
    ['in a folder that is there', pathToFileURL(folder).href],
    ['elsewhere', 's3://bucket'],
    ['where the settings of Pulumi say', ''],
  ])('keeps its lease when its state can’t be had although it is %s', async (_, backend) => {
    const { calls, error } = await takenOver({ backend, stacks: unlisted });
    expect(calls).toEqual(byLabels);
    expect(error).toBe('removed by its labels; its state stays: no such directory');
  });

  test('is named when it can’t be removed', async () => {
    const remove = () => Promise.resolve();
    expect(await takenOver({ engine: { remove } })).toMatchObject({
      error: 'left over: container box, volume data',
    });
  });
});

import { describe, expect, test } from '@jest/globals';
import { dockerProvider } from '../../../engine/provider/docker-provider.js';
import * as operations from '../../../engine/provider/operations.js';
import { unknownValue, type Values } from '../../../engine/provider/values.js';

const container = 'urn:pulumi:dev::rehearsal::docker:index/container:Container::web';
const network = 'urn:pulumi:dev::rehearsal::docker:index/network:Network::net';

const diff = (urn: string, state: Values, inputs: Values, ignoreChanges: string[]) =>
  operations.diff(dockerProvider, urn, state, inputs, ignoreChanges);

const changesOf = (state: Values, inputs: Values, ignoreChanges: string[] = []) =>
  Object.fromEntries(diff(container, state, inputs, ignoreChanges).changes);

describe('no change', () => {
  test.each<[string, Values, Values]>([
    ['missing and empty are the same', { memory: 0, user: '', readOnly: false, dns: [], tmpfs: {} }, {}],
    ['null is missing', { cpus: null }, {}],
    ['sets have no order', { envs: ['A=1', 'B=2'] }, { envs: ['B=2', 'A=1'] }],
    [
      'sets of objects, with what is empty left out',
      {
        volumes: [
          { containerPath: '/a', volumeName: 'a', hostPath: '', readOnly: null },
          { containerPath: '/b' },
        ],
      },
      { volumes: [{ containerPath: '/b' }, { containerPath: '/a', volumeName: 'a' }] },
    ],
    ['computed properties keep their value', { hostname: 'abc', logDriver: 'json-file', init: true }, {}],
    [
      'ports keep what the engine chose',
      { ports: [{ internal: 80, external: 32768, ip: '127.0.0.1', protocol: 'tcp' }] },
      { ports: [{ internal: 80, ip: '127.0.0.1', protocol: 'tcp' }] },
    ],
    ['user and working directory of the image', { user: 'redis', workingDir: '/data' }, {}],
    ['what this provider does not know', { gpus: 'all', bridge: 'x' }, {}],
  ])('%s', (_, state, inputs) => {
    expect(changesOf(state, inputs)).toEqual({});
  });

  test('of what is ignored', () => {
    expect(changesOf({ memorySwap: 128 }, {}, ['memorySwap'])).toEqual({});
  });
});

describe('changes', () => {
  test.each<[string, Values, Values, Values]>([
    ['a limit in place', { memory: 64 }, { memory: 32 }, { memory: { kind: 'update', replace: false } }],
    // The daemon makes it twice the memory where it isn't set.
    ['swap the daemon chose', { memorySwap: 128 }, {}, { memorySwap: { kind: 'delete', replace: false } }],
    ['an environment', { envs: ['A=1'] }, { envs: ['A=2'] }, { envs: { kind: 'update', replace: true } }],
    [
      'a set that loses one of two equal entries',
      { dns: ['1.1.1.1', '1.1.1.1'] },
      { dns: ['1.1.1.1', '8.8.8.8'] },
      { dns: { kind: 'update', replace: true } },
    ],
    [
      'a first capability',
      {},
      { capabilities: { drops: ['ALL'] } },
      { capabilities: { kind: 'add', replace: true } },
    ],
    [
      'what is not known yet',
      { image: 'a' },
      { image: unknownValue },
      { image: { kind: 'update', replace: true } },
    ],
    [
      'lists have an order',
      { command: ['a', 'b'] },
      { command: ['b', 'a'] },
      { command: { kind: 'update', replace: true } },
    ],
    // As the official provider has it: 120s reads back as 2m0s.
    [
      'a duration in other words',
      { healthcheck: { startPeriod: '2m0s' } },
      { healthcheck: { startPeriod: '120s' } },
      { healthcheck: { kind: 'update', replace: false } },
    ],
  ])('%s', (_, state, inputs, expected) => {
    expect(changesOf(state, inputs)).toEqual(expected);
  });
});

describe('what goes first when a resource is replaced', () => {
  const named = { __defaults: ['name'], name: 'net-1234567', internal: true };

  test('a container, before its replacement comes', () => {
    expect(
      diff(container, { envs: [] }, { __defaults: ['name'], envs: ['A=1'] }, []).deleteBeforeReplace,
    ).toBe(true);
  });
  test('the replacement of a network, where its name is made up', () => {
    expect(diff(network, { internal: false }, named, []).deleteBeforeReplace).toBe(false);
  });
  test('a network, where its name is given', () => {
    expect(diff(network, { internal: false }, { ...named, __defaults: [] }, []).deleteBeforeReplace).toBe(
      true,
    );
  });
});

describe('previews', () => {
  test('of a new container know what is given, and that the rest is not known', () => {
    const state = operations.previewCreate(dockerProvider, container, {
      __defaults: ['name'],
      name: 'web-1234567',
      memory: 64,
      envs: ['B=2', unknownValue, 'A=1'],
      ports: [{ internal: 80, ip: '127.0.0.1', protocol: 'tcp' }],
    });
    expect(state).toMatchObject({
      name: 'web-1234567',
      memory: 64,
      ports: [{ internal: 80, external: unknownValue, ip: '127.0.0.1', protocol: 'tcp' }],
      hostname: unknownValue,
      networkDatas: unknownValue,
      user: null,
      readOnly: false,
    });
    expect(state.envs).toEqual(expect.arrayContaining(['A=1', 'B=2', unknownValue]));
    expect(state).not.toHaveProperty('__defaults');
  });

  test('of an update keep what stays', () => {
    const ports = [{ internal: 80, external: 32768, ip: '127.0.0.1', protocol: 'tcp' }];
    const state = { memory: 64, memorySwap: 64, ports, hostname: 'abc', networkDatas: [] };
    const inputs = { memory: 32, ports: [{ internal: 80, ip: '127.0.0.1', protocol: 'tcp' }] };
    expect(operations.previewUpdate(dockerProvider, container, state, inputs)).toEqual({
      ...state,
      memory: 32,
      memorySwap: null,
    });
  });
});

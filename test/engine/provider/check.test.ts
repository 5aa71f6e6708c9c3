import { describe, expect, test } from '@jest/globals';
import { checkConfig } from '../../../engine/provider/config.js';
import { dockerProvider } from '../../../engine/provider/docker-provider.js';
import * as operations from '../../../engine/provider/operations.js';
import { unknownValue, type Values } from '../../../engine/provider/values.js';

const urn = (type: string, name = 'web'): string =>
  `urn:pulumi:dev::rehearsal::my:Env$docker:index/${type}::${name}`;
const containerUrn = urn('container:Container');
const seed = new Uint8Array([1, 2, 3]);
const check = (type: string, olds: Values, news: Values, withSeed: Uint8Array) =>
  operations.check(dockerProvider, type, olds, news, withSeed);
const checkContainer = (news: Values, olds: Values = {}) =>
  check(containerUrn, olds, { image: 'redis', ...news }, seed);

describe('defaults', () => {
  test('are filled in and named, and false, 0 and the empty string are not among them', () => {
    expect(checkContainer({ name: 'mine' })).toEqual({
      inputs: {
        __defaults: [
          'containerReadRefreshTimeoutMilliseconds',
          'mustRun',
          'networkMode',
          'removeVolumes',
          'restart',
          'start',
          'waitTimeout',
        ],
        containerReadRefreshTimeoutMilliseconds: 15000,
        image: 'redis',
        mustRun: true,
        name: 'mine',
        networkMode: 'bridge',
        removeVolumes: true,
        restart: 'no',
        start: true,
        waitTimeout: 60,
      },
      problems: [],
    });
  });

  test('of nested objects are named there', () => {
    const { inputs } = checkContainer({ ports: [{ internal: 80 }], healthcheck: { tests: ['CMD', 'true'] } });
    expect(inputs.ports).toEqual([
      { __defaults: ['ip', 'protocol'], internal: 80, ip: '0.0.0.0', protocol: 'tcp' },
    ]);
    expect(inputs.healthcheck).toEqual({
      __defaults: ['interval', 'startInterval', 'startPeriod', 'timeout'],
      interval: '0s',
      startInterval: '0s',
      startPeriod: '0s',
      tests: ['CMD', 'true'],
      timeout: '0s',
    });
  });
});

describe('names', () => {
  test('are made of the resource name and seven hexadecimal digits, the same for the same seed', () => {
    const { inputs } = checkContainer({});
    expect(inputs.name).toMatch(/^web-[0-9a-f]{7}$/);
    expect(checkContainer({}).inputs.name).toBe(inputs.name);
    expect(check(containerUrn, {}, { image: 'redis' }, new Uint8Array([4])).inputs.name).not.toBe(
      inputs.name,
    );
  });

  test('stay what they were', () => {
    const { inputs: olds } = checkContainer({});
    expect(check(containerUrn, olds, { image: 'redis' }, new Uint8Array([4])).inputs.name).toBe(olds.name);
  });

  test('that were given once and are no longer are made up', () => {
    const { inputs: olds } = checkContainer({ name: 'mine' });
    expect(checkContainer({}, olds).inputs.name).toMatch(/^web-[0-9a-f]{7}$/);
  });

  test('of images are given', () => {
    expect(check(urn('remoteImage:RemoteImage'), {}, {}, seed).problems).toEqual(['name is missing']);
  });
});

describe('problems', () => {
  test('unsupported properties make one problem, at any depth', () => {
    const { problems } = checkContainer({
      privileged: true,
      gpus: 'all',
      ports: [{ internal: 1, range: 2 }],
    });
    expect(problems).toEqual([
      'the embedded Docker provider does not support gpus, ports[0].range, privileged: leave them out, ' +
        'or install the official plugin (pulumi plugin install resource docker)',
    ]);
  });

  test.each<[Values, string]>([
    [{ memory: '64' }, 'memory must be a whole number, not a string'],
    [{ memory: 1.5 }, 'memory must be a whole number, not 1.5'],
    [{ memorySwap: -2 }, 'memorySwap must be at least -1, not -2'],
    [{ restart: 'maybe' }, 'restart must be one of no, on-failure, always, unless-stopped, not "maybe"'],
    [
      { healthcheck: { interval: '10' } },
      'healthcheck.interval must be a duration like 10s or 1m30s, not "10"',
    ],
    [{ command: 'sleep' }, 'command must be a list, not a string'],
    [{ tmpfs: { '/run': 1 } }, 'tmpfs must be an object of strings'],
    [{ readOnly: 'yes' }, 'readOnly must be true or false, not a string'],
    [{ labels: [{ label: 'a' }] }, 'labels[0].value is missing'],
    [{ volumes: [{ hostPath: 'data' }] }, 'volumes[0].hostPath must be an absolute path, not "data"'],
  ])('%j', (news, problem) => {
    expect(checkContainer(news).problems).toEqual([problem]);
  });

  test('never quote the environment', () => {
    const { problems } = checkContainer({ envs: ['=hunter2'], command: [{ secret: 'hunter2' }] });
    expect(problems).toEqual([
      'envs[0] must be of the form NAME=value',
      'command[0] must be a string, not an object',
    ]);
  });

  test('what is not known yet is no problem', () => {
    expect(
      checkContainer({ memory: unknownValue, envs: [unknownValue], ports: unknownValue }).problems,
    ).toEqual([]);
  });

  test('a type that is not there', () => {
    expect(() => check(urn('service:Service'), {}, {}, seed)).toThrow(
      'the embedded Docker provider has no resource type docker:index/service:Service',
    );
  });
});

describe('the provider’s own inputs', () => {
  test.each(['unix:///var/run/docker.sock', 'tcp://127.0.0.1:2375', 'ssh://me@example.org:22', unknownValue])(
    'host %s',
    (host) => {
      expect(checkConfig({ host, version: '5.2.0', __internal: {} }).problems).toEqual([]);
    },
  );

  test('all problems at once', () => {
    expect(checkConfig({ host: 'docker', certPath: '/certs', registryAuth: [] }).problems).toEqual([
      expect.stringContaining('does not support certPath, registryAuth'),
      expect.stringContaining('host must be the address of a Docker Engine'),
    ]);
  });
});

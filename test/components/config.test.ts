import { describe, expect, test } from '@jest/globals';
import {
  ConfigError,
  parseConfig,
  resolveEnvironment,
  type EnvironmentSpec,
} from '../../components/config.js';
import { serviceNames } from '../../components/services.js';

const resolve = (raw: Record<string, unknown>): EnvironmentSpec =>
  resolveEnvironment(parseConfig(raw, 'the test'), 'the test');

const problemsOf = (raw: Record<string, unknown>): readonly string[] => {
  try {
    resolve(raw);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error('the configuration was accepted');
};

describe('the profiles', () => {
  // The report's figures, with the two helpers: mission, "Profiles".
  test.each([
    ['standard', [2048, 1024, 2048, 128, 256, 3072, 4096, 1024], 13696, 14336, 256, 512, 4],
    ['incident', [1024, 512, 1024, 128, 256, 2048, 2048, 512], 7552, 7680, 128, 200, 2],
    ['small', [256, 96, 384, 48, 128, 192, 512, 96], 1712, 1792, 32, 48, 2],
  ])('%s', (profile, limits, memoryMb, budgetMb, sharedBuffersMb, maxmemoryMb, workers) => {
    const spec = resolve({ 'rehearsal:profile': profile });
    expect(serviceNames.map((name) => spec.services[name].memoryMb)).toEqual(limits);
    expect(spec).toMatchObject({ memoryMb, budgetMb, sharedBuffersMb, maxmemoryMb, workers });
  });

  test.each([
    ['incident', 'postgres', [5, 3, 10, 30]],
    ['incident', 'pgbouncer', [5, 3, 10, 30]],
    ['incident', 'clickhouse', [15, 5, 15, 90]],
    ['incident', 'backend', [15, 5, 15, 60]],
    ['incident', 'auth', [10, 5, 10, 60]],
    ['incident', 'llm', [10, 5, 10, 60]],
    ['standard', 'redis', [10, 10, 30, 120]],
    ['standard', 'clickhouse', [20, 15, 45, 180]],
    ['standard', 'backend', [15, 15, 45, 150]],
    ['small', 'frontend', [10, 10, 30, 120]],
  ] as const)('%s checks %s by the report', (profile, service, timing) => {
    const { healthCheck } = resolve({ 'rehearsal:profile': profile }).services[service];
    const { intervalSeconds, timeoutSeconds, retries, startPeriodSeconds } = healthCheck;
    expect([intervalSeconds, timeoutSeconds, retries, startPeriodSeconds]).toEqual(timing);
  });

  test('standard is the default', () => {
    expect(resolve({}).profile).toBe('standard');
  });
});

describe('overrides', () => {
  test('may have secret variables, which are known by name while they are encrypted', () => {
    const environment = { SHOP_DSN: { secure: 'v1:abc' }, SHOP_PLACE: 'main street' };
    const { backend } = resolve({ 'rehearsal:services': { backend: { environment } } }).services;
    expect(backend.environment).toEqual({ SHOP_PLACE: 'main street' });
    expect(backend.secretVariables).toEqual(['SHOP_DSN']);
  });

  test('are all secret once Pulumi decrypted some of them', () => {
    const environment = { SHOP_DSN: 'decrypted', SHOP_PLACE: 'main street' };
    const config = parseConfig({ 'rehearsal:services': { backend: { environment } } }, 'the test');
    const { backend } = resolveEnvironment(config, 'the test', true).services;
    expect(backend.environment).toEqual(environment);
    expect(backend.secretVariables).toEqual(['SHOP_DSN', 'SHOP_PLACE']);
  });

  test('replace single values of a service and leave its others', () => {
    const spec = resolve({
      'rehearsal:services': {
        backend: { image: 'shop/backend:7', workers: 8, environment: { MODE: 'staging' } },
        postgres: { memoryMb: 1024, sharedBuffersMb: 300, healthCheck: { retries: 3 } },
      },
    });
    expect(spec.workers).toBe(8);
    expect(spec.sharedBuffersMb).toBe(300);
    expect(spec.services.backend).toMatchObject({
      image: 'shop/backend:7',
      memoryMb: 4096,
      environment: { MODE: 'staging' },
    });
    expect(spec.services.postgres.memoryMb).toBe(1024);
    expect(spec.services.postgres.healthCheck).toMatchObject({ intervalSeconds: 10, retries: 3 });
  });

  test('come as JSON text from Pulumi and as objects from the file', () => {
    const services = { redis: { memoryMb: 900 } };
    const fromFile = resolve({ 'rehearsal:services': services, 'rehearsal:budgetMb': 13700 });
    const fromPulumi = resolve({
      'rehearsal:services': JSON.stringify(services),
      'rehearsal:budgetMb': '13700',
    });
    expect(fromPulumi).toEqual(fromFile);
  });

  test("leave other packages' keys alone", () => {
    expect(() => parseConfig({ 'docker:host': 'unix:///run/docker.sock' }, 'the test')).not.toThrow();
  });
});

describe('bad input', () => {
  test('names the key, the value and what is allowed, every problem at once', () => {
    const problems = problemsOf({
      'rehearsal:profile': 'huge',
      'rehearsal:budget': 14,
      'rehearsal:services': { postgres: { memoryMb: 'much', memory: 5 }, mysql: {} },
    });
    expect(problems).toHaveLength(5);
    const text = problems.join('\n');
    expect(text).toMatch(/rehearsal:profile is "huge": .*standard.*incident.*small/);
    expect(text).toMatch(/rehearsal:budget is not a known key: allowed: profile, budgetMb/);
    expect(text).toMatch(/rehearsal:services\.postgres\.memoryMb is "much": .*number/);
    expect(text).toMatch(/rehearsal:services\.postgres\.memory is not a known key: allowed: .*memoryMb/);
    expect(text).toMatch(/rehearsal:services\.mysql is not a known key: allowed: postgres, redis/);
  });

  test('refuses a limit below what the service can start with', () => {
    expect(problemsOf({ 'rehearsal:services': { clickhouse: { memoryMb: 20 } } })).toEqual([
      expect.stringMatching(
        /rehearsal:services\.clickhouse\.memoryMb is 20: clickhouse needs at least \d+ MiB/,
      ),
    ]);
  });

  test('counts the workers of the backend', () => {
    const backend = { memoryMb: 200, workers: 3 };
    expect(resolve({ 'rehearsal:services': { backend } }).workers).toBe(3);
    expect(problemsOf({ 'rehearsal:services': { backend: { ...backend, workers: 4 } } })).toEqual([
      expect.stringMatching(/services\.backend\.memoryMb is 200: backend needs at least 224 MiB/),
    ]);
  });

  test("doesn't judge what another image needs", () => {
    const spec = resolve({ 'rehearsal:services': { clickhouse: { image: 'tiny:1', memoryMb: 20 } } });
    expect(spec.services.clickhouse.memoryMb).toBe(20);
  });

  test('refuses settings that fill the limit', () => {
    const problems = problemsOf({
      'rehearsal:services': { redis: { maxmemoryMb: 1024 }, postgres: { sharedBuffersMb: 4000 } },
    });
    expect(problems).toEqual([
      expect.stringContaining('services.postgres.sharedBuffersMb is 4000'),
      expect.stringContaining('services.redis.maxmemoryMb is 1024'),
    ]);
  });

  test('refuses limits above the budget, with the table of who asks for what', () => {
    const [problem, ...others] = problemsOf({ 'rehearsal:budgetMb': 13695 });
    expect(others).toEqual([]);
    expect(problem).toMatch(/sum up to 13696 MiB, the budget \(rehearsal:budgetMb\) is 13695 MiB/);
    for (const name of serviceNames) expect(problem).toContain(name);
  });

  test('never shows the key of an LLM', () => {
    const [problem] = problemsOf({ 'rehearsal:llmApiKey': { secret: 'sk-planted' } });
    expect(problem).toContain('rehearsal:llmApiKey');
    expect(problem).not.toContain('sk-planted');
  });

  test('never shows a setting in which Pulumi decrypted something', () => {
    const raw = { 'rehearsal:services': { backend: { environment: ['sk-planted'] } } };
    expect(() => parseConfig(raw, 'the test', ['services'])).toThrow(
      /rehearsal:services\.backend\.environment is not shown: /,
    );
  });

  test('refuses variables that are neither a text nor a secret', () => {
    const environment = { SHOP_PLACE: 5, SHOP_DSN: { secret: 'v1:abc' } };
    expect(problemsOf({ 'rehearsal:services': { backend: { environment } } })).toEqual([
      'rehearsal:services.backend.environment.SHOP_PLACE is 5: allowed is a text, or a secret',
      'rehearsal:services.backend.environment.SHOP_DSN is {"secret":"v1:abc"}: allowed is a text, or a secret',
    ]);
  });

  test('refuses two suites of one name', () => {
    const suites = ['a', 'b', 'a'].map((name) => ({ name, command: ['true'], timeoutSeconds: 5 }));
    expect(problemsOf({ 'rehearsal:suites': suites })).toEqual([
      'rehearsal:suites[2].name is "a": allowed is a name that no other suite has',
    ]);
  });

  test('refuses suite names that are no file names', () => {
    const suites = [{ name: '../x', command: ['true'], timeoutSeconds: 5 }];
    expect(problemsOf({ 'rehearsal:suites': suites })).toEqual([
      expect.stringMatching(/rehearsal:suites\[0\]\.name is "\.\.\/x": lower-case letters/),
    ]);
  });
});

import { describe, expect, test } from '@jest/globals';
import { exitCodes } from '../../runners/exit-codes.js';
import { runCli } from '../helpers/cli.js';

const timeoutMs = 5 * 60_000;

interface Case {
  about: string;
  args?: string[];
  settings?: string;
  env?: Record<string, string>;
  /** What the error has to name. */
  says: string[];
}

const cases: Case[] = [
  {
    about: 'a value of the wrong type',
    settings: 'config:\n  rehearsal:services:\n    redis:\n      memoryMb: lots\n',
    says: ['rehearsal:services.redis.memoryMb is "lots"', 'expected number'],
  },
  {
    about: 'an unknown key',
    settings: 'config:\n  rehearsal:colour: red\n',
    says: ['rehearsal:colour is not a known key', 'profile, budgetMb'],
  },
  {
    about: 'an unknown service',
    settings: 'config:\n  rehearsal:services:\n    mysql: {}\n',
    says: ['rehearsal:services.mysql is not a known key', 'postgres, redis'],
  },
  {
    about: 'an unknown suite',
    args: ['--suite', 'nope'],
    says: ['--suite nope: there is no such suite', 'websocket-agent-events'],
  },
  {
    about: 'a time to live below what a suite may take',
    args: ['--ttl', '10m'],
    says: ['rehearsal:ttlMinutes (--ttl) is 10', 'may take 15 minutes'],
  },
  {
    about: 'an unknown profile',
    args: ['--profile', 'tiny'],
    says: ["'--profile <name>' argument 'tiny'", 'standard, incident, small'],
  },
  {
    about: 'no users',
    args: ['--users', '0'],
    says: ["'--users <count>' argument '0'", 'a whole number from 1 to 1000'],
  },
  {
    about: 'a limit below what the service can start with',
    settings: 'config:\n  rehearsal:services:\n    clickhouse:\n      memoryMb: 10\n',
    says: ['rehearsal:services.clickhouse.memoryMb is 10', 'needs at least'],
  },
  {
    about: 'limits above the budget',
    settings: 'config:\n  rehearsal:budgetMb: 1000\n',
    says: ['13696 MiB', 'rehearsal:budgetMb', 'Σ(limits)'],
  },
  {
    about: 'a budget above the host',
    settings:
      'config:\n  rehearsal:budgetMb: 20000000\n  rehearsal:services:\n    backend:\n      memoryMb: 10000000\n',
    says: ['the Docker host has', 'take a larger host', 'Σ(limits)'],
  },
  {
    about: 'several mistakes at once',
    settings: 'config:\n  rehearsal:budgetMb: 1000\n',
    args: ['--suite', 'nope', '--category', 'none'],
    says: ['3 problems', '--suite nope', '--category none', 'rehearsal:budgetMb'],
  },
  {
    about: 'malformed YAML',
    settings: 'config:\n  rehearsal:services: [1,\n  rehearsal:profile: small\n',
    says: ['.yaml:3:', 'not valid YAML'],
  },
  {
    about: 'a settings file that is not there',
    args: ['--stack', 'nonesuch'],
    says: ['Pulumi.nonesuch.yaml', 'there is no such file'],
  },
  {
    about: 'no Docker Engine',
    env: { DOCKER_HOST: 'unix:///nonexistent/docker.sock' },
    says: ['unix:///nonexistent/docker.sock does not answer', 'DOCKER_HOST'],
  },
  {
    about: 'a Docker Engine of another machine',
    env: { DOCKER_HOST: 'tcp://192.0.2.7:2375' },
    says: ['DOCKER_HOST', 'tcp://192.0.2.7:2375 is on another machine', 'rehearsal:host {kind: ssh'],
  },
  {
    about: 'an address of a Docker Engine that is none',
    env: { DOCKER_HOST: 'build-host' },
    says: ['Docker Engine at build-host does not answer', 'DOCKER_HOST'],
  },
];

describe('bad input', () => {
  test.each(cases)(
    '$about is one clear error, and nothing is started',
    async ({ args = [], settings, env, says }) => {
      const result = await runCli({
        args,
        ...(settings === undefined ? {} : { settings }),
        ...(env === undefined ? {} : { env }),
      });
      expect(result.exitCode).toBe(exitCodes.error);
      for (const text of says) expect(result.stderr).toContain(text);
      // Neither a stack trace nor a half-made stack.
      expect(result.stderr).not.toMatch(/^\s+at /m);
      expect(result.stateFiles).toEqual([]);
    },
    timeoutMs,
  );
});

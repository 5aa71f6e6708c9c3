import { describe, expect, test } from '@jest/globals';
import { tooOld } from '../../engine/docker.js';
import { decideDocker, type DockerFacts } from '../../engine/docker-engine.js';

const facts: DockerFacts = {
  host: 'unix:///var/run/docker.sock',
  answer: { problem: 'connect ENOENT /var/run/docker.sock', denied: false },
  isRoot: true,
  canInstallPackages: true,
  hasDockerd: false,
  isSystemdInit: false,
};
const refusal = (changes: Partial<DockerFacts>): string => {
  const decision = decideDocker({ ...facts, ...changes });
  return decision.kind === 'refuse' ? decision.message : `no refusal but ${decision.kind}`;
};

describe('Docker Engine', () => {
  test('is used when it answers, whoever asks and wherever it is', () => {
    const remote = { ...facts, host: 'ssh://somewhere', isRoot: false, answer: { version: '28.0.1' } };
    expect(decideDocker(remote)).toEqual({ kind: 'use', version: '28.0.1' });
  });

  test('is refused when it is too old, and is not replaced', () => {
    const answer = { version: '18.09.1', obstacle: 'Docker Engine 18.09.1 is too old' };
    expect(refusal({ answer })).toBe('Docker Engine 18.09.1 is too old');
  });

  test.each([
    ['18.09.1', '1.39'],
    ['17.05.0-ce', '1.9'],
    ['0.9', '0.99'],
  ])('%s with API %s is too old', (Version, ApiVersion) => {
    expect(tooOld({ Version, ApiVersion })).toBe(
      `Docker Engine ${Version} is too old: it speaks API ${ApiVersion}, needed is 1.40 (Docker Engine 19.03) or ` +
        'newer; update it, or choose another with DOCKER_HOST or "docker context use"',
    );
  });

  test.each(['1.40', '1.41', '1.100', '2.0'])('with API %s is new enough', (ApiVersion) => {
    expect(tooOld({ Version: '99', ApiVersion })).toBeUndefined();
  });

  test('is installed by root with apt', () => {
    expect(decideDocker(facts)).toEqual({ kind: 'start', install: true, systemd: false });
  });

  test('is only started when it is installed, by systemd where that runs', () => {
    expect(
      decideDocker({ ...facts, hasDockerd: true, canInstallPackages: false, isSystemdInit: true }),
    ).toEqual({
      kind: 'start',
      install: false,
      systemd: true,
    });
  });

  test('is named, with what to install, to a user who may not install it', () => {
    expect(refusal({ isRoot: false, canInstallPackages: false })).toBe(
      'Docker Engine at unix:///var/run/docker.sock does not answer (connect ENOENT /var/run/docker.sock): ' +
        'install Docker Engine (https://docs.docker.com/engine/install), or run this as root on a machine with apt',
    );
  });

  test('is named, with how to start it, to a user who may not start it', () => {
    expect(refusal({ isRoot: false, hasDockerd: true })).toContain('sudo systemctl start docker');
  });

  test('is named, with the group, to a user who may not use it', () => {
    const denied = { problem: 'connect EACCES /var/run/docker.sock', denied: true };
    expect(refusal({ isRoot: false, answer: denied })).toMatch(/EACCES.*add you to the group "docker"/);
  });

  test('is named, with what to install, to root without apt', () => {
    expect(refusal({ canInstallPackages: false })).toContain("without apt it can't be installed from here");
  });

  test('is not replaced by a local one where another address is chosen', () => {
    expect(refusal({ host: 'tcp://build-host:2375' })).toContain(
      'point DOCKER_HOST or "docker context use" to one that runs',
    );
  });
});

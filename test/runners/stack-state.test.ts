import { describe, expect, test } from '@jest/globals';
import { labelKeys } from '../../components/labels.js';
import { StackError } from '../../runners/pulumi.js';
import { engineInState, holdersInState, labelsInState } from '../../runners/stack-state.js';

const exported = (...resources: unknown[]): string =>
  JSON.stringify({ version: 3, deployment: { resources } });
const labelled = (labels: Record<string, unknown>) => ({
  type: 'docker:index/container:Container',
  inputs: { labels: Object.entries(labels).map(([label, value]) => ({ label, value })) },
});
const whose = { stack: 'one', run: 'tabc123xyz', suite: 'chat', expiresAt: '2026-01-01T04:00:00.000Z' };
const own = labelled({
  [labelKeys.stack]: whose.stack,
  [labelKeys.run]: whose.run,
  [labelKeys.suite]: whose.suite,
  [labelKeys.expiresAt]: whose.expiresAt,
  other: 'x',
});

describe('whose a stack is', () => {
  test('is said by the labels of its resources', () => {
    const root = { type: 'pulumi:pulumi:Stack' };
    expect(labelsInState(exported(root, labelled({ other: 'x' }), own))).toEqual(whose);
  });

  test('is said by the tags of what AWS has', () => {
    const tags = {
      [labelKeys.stack]: whose.stack,
      [labelKeys.run]: whose.run,
      [labelKeys.suite]: whose.suite,
      [labelKeys.expiresAt]: whose.expiresAt,
    };
    const group = {
      type: 'aws:ec2/securityGroup:SecurityGroup',
      inputs: { tags: { ...tags, __defaults: [] } },
    };
    expect(labelsInState(exported({ inputs: { tags: { Name: 'x' } } }, group))).toEqual(whose);
  });

  test.each([
    ['that is empty', JSON.stringify({ version: 3, deployment: null })],
    ['without resources', JSON.stringify({ version: 3, deployment: {} })],
    ['of which no resource has labels', exported({ inputs: { name: 'x' } }, {})],
    ['whose labels say nothing of a run', exported(labelled({ [labelKeys.suite]: 'chat' }))],
  ])('nobody knows of a state %s', (_, state) => {
    expect(labelsInState(state)).toBeUndefined();
  });

  test.each([
    ['a map, as other resources have them', { inputs: { labels: { a: 'b' } } }],
    ['secret', { inputs: { labels: { '4dabf18193072939515e22adb298388d': 'x', ciphertext: 'v1:…' } } }],
    ['no text', labelled({ [labelKeys.run]: 7, [labelKeys.suite]: null })],
    ['nothing at all', null],
  ])('is not said by labels that are %s', (_, resource) => {
    expect(labelsInState(exported(resource))).toBeUndefined();
    expect(labelsInState(exported(resource, own))).toEqual(whose);
  });

  test.each([
    ['that was cut short', exported(own).slice(0, 50)],
    ['of another kind', '{"version":9,"stacks":[]}'],
    ['with something else for resources', '{"version":3,"deployment":{"resources":{}}}'],
    ['that is empty', ''],
  ])('can’t be read from a state %s', (_, state) => {
    expect(() => labelsInState(state)).toThrow(StackError);
    expect(() => labelsInState(state)).toThrow(/^what Pulumi exported isn't the state of a stack: /);
  });
});

test('the containers of a state are those whose making it knows to have ended', () => {
  const type = 'docker:index/container:Container';
  const state = exported(
    { type, outputs: { name: 'redis-1' } },
    { type: 'docker:index/volume:Volume', outputs: { name: 'data' } },
    { type },
    { type, outputs: { name: 'auth-2' } },
  );
  expect(holdersInState(state)).toEqual(['redis-1', 'auth-2']);
});

describe('where the containers of a stack are', () => {
  const provider = { type: 'pulumi:providers:docker', inputs: { host: 'unix:///var/run/docker.sock' } };
  const target = { address: 'box', port: 22, user: 'ci', hostKey: 'ssh-ed25519 AAAA' };
  const root = { type: 'pulumi:pulumi:Stack', outputs: { target } };

  test('is said by its provider, and how to log in there by its outputs', () => {
    expect(engineInState(exported(own, provider))).toEqual({ dockerHost: provider.inputs.host });
    expect(engineInState(exported(root, provider))).toEqual({ dockerHost: provider.inputs.host, target });
  });

  test('nobody knows of a stack without a provider', () => {
    expect(engineInState(exported(root, own))).toBeUndefined();
  });

  test('is not said by outputs of another shape', () => {
    const other = { ...root, outputs: { target: { address: 'box' } } };
    expect(engineInState(exported(other, provider))).toEqual({ dockerHost: provider.inputs.host });
  });
});

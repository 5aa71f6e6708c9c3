import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { branchUnderTest } from '../../runners/branch.js';
import { temporaryFolder } from '../helpers/temporary.js';

const hostile = 'feature/$(touch pwned)`"\'🙂';
let checkout: string;

beforeEach(() => {
  checkout = temporaryFolder('checkout');
});

function git(...args: string[]): void {
  const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.invalid'];
  execFileSync('git', [...identity, ...args], { cwd: checkout, stdio: 'ignore' });
}

function commit(branch: string): void {
  git('init');
  git('checkout', '-b', branch);
  git('commit', '--allow-empty', '-m', 'first');
}

/** What GitHub sets, the event's file included. */
function github(env: Record<string, string>, event: object): NodeJS.ProcessEnv {
  const file = path.join(checkout, 'event.json');
  writeFileSync(file, JSON.stringify(event));
  return { ...process.env, CI: 'true', GITHUB_ACTIONS: 'true', GITHUB_EVENT_PATH: file, ...env };
}

const local = { PATH: process.env['PATH'] };

describe('the branch under test', () => {
  test.each(['main', 'feature/Login', 'ünïcödé'])('is the one checked out: %s', (branch) => {
    commit(branch);
    expect(branchUnderTest(checkout, local)).toBe(branch);
  });

  test('is unknown without git', () => {
    expect(branchUnderTest(checkout, local)).toBe('detached');
  });

  test('is unknown in a checkout of a commit that no CI explains', () => {
    commit('main');
    git('checkout', '--detach');
    expect(branchUnderTest(checkout, local)).toBe('detached');
  });

  test.each(['main', hostile])("is what GitHub pushed, not its checkout's: %s", (branch) => {
    commit('other');
    git('checkout', '--detach');
    const env = github({ GITHUB_EVENT_NAME: 'push', GITHUB_REF: `refs/heads/${branch}` }, {});
    expect(branchUnderTest(checkout, env)).toBe(branch);
  });

  test("is the number of GitHub's pull request, whatever its branch is called", () => {
    const env = github(
      { GITHUB_EVENT_NAME: 'pull_request', GITHUB_REF: 'refs/pull/12/merge', GITHUB_HEAD_REF: 'main' },
      { pull_request: { number: 12, base: { ref: 'main' } } },
    );
    expect(branchUnderTest(checkout, env)).toBe('PR 12');
  });

  test.each([
    ['feature/x', { CI_COMMIT_REF_NAME: 'feature/x' }],
    ['PR 34', { CI_MERGE_REQUEST_ID: '34', CI_MERGE_REQUEST_TARGET_BRANCH_NAME: 'main' }],
  ])('is %s where GitLab says so', (branch, env) => {
    expect(branchUnderTest(checkout, { ...local, CI: 'true', GITLAB_CI: 'true', ...env })).toBe(branch);
  });
});

import envCi from 'env-ci';

/**
 * What a run is for: `PR <number>` in a CI's run for a pull request, else the branch, as the CI names it or as it
 * is checked out; `detached` where neither knows one. No branch can be called like a pull request: git refuses
 * spaces.
 */
export function branchUnderTest(checkout: string, env: NodeJS.ProcessEnv = process.env): string {
  const ci = envCi({ env, cwd: checkout });
  if ('pr' in ci && ci.isPr && ci.pr !== undefined) return `PR ${ci.pr}`;
  return ci.branch ?? 'detached';
}

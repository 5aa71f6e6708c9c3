import * as z from 'zod';

export interface Counts {
  passed: number;
  failed: number;
}

const resultSchema = z.object({
  numPassedTests: z.int(),
  numFailedTests: z.int(),
  numPendingTests: z.int(),
  numTodoTests: z.int(),
  /** Files that couldn't be loaded: none of their tests is in the other counts. */
  numRuntimeErrorTestSuites: z.int(),
});

/**
 * What Jest's JSON result says: a skipped test and a file that couldn't be loaded count as failed.
 * @param jestFailed whether Jest's exit code says so; it can fail for what is no test's, a global set-up say.
 */
export function countsOf(json: string, jestFailed: boolean): Counts {
  const result = resultSchema.parse(JSON.parse(json));
  const skipped = result.numPendingTests + result.numTodoTests;
  const failed = result.numFailedTests + skipped + result.numRuntimeErrorTestSuites;
  return { passed: result.numPassedTests, failed: failed === 0 && jestFailed ? 1 : failed };
}

import { beforeAll as jestBeforeAll, test as jestTest } from '@jest/globals';
import { reasonOf } from '../../../engine/errors.js';
import { symptoms } from './symptoms.js';

let outOfOrder: string | undefined;

/**
 * Jest's `test`, against an environment: a failure also says what is out of order in the environment. Once
 * something is, the tests after it fail at once, because each of them would wait for it in vain.
 */
export function test(name: string, run: () => Promise<void>, timeoutMs: number): void {
  jestTest(name, namingSymptoms(run), timeoutMs);
}

/** Jest's `beforeAll`, in the same way. */
export function beforeAll(run: () => Promise<void>, timeoutMs: number): void {
  jestBeforeAll(namingSymptoms(run), timeoutMs);
}

function namingSymptoms(run: () => Promise<void>): () => Promise<void> {
  return async () => {
    if (outOfOrder !== undefined) throw new Error(outOfOrder);
    try {
      await run();
    } catch (cause) {
      const found = await symptoms();
      if (found.length === 0) throw cause;
      outOfOrder = `the environment is out of order: ${found.join('; ')}`;
      throw new Error(`${reasonOf(cause)}\n${outOfOrder}`, { cause });
    }
  };
}

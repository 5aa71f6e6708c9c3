import { describe, expect, test } from '@jest/globals';
import grpc from '@grpc/grpc-js';
import { unary } from '../../../engine/provider/protocol.js';

/** What the one who called is answered. */
const answerTo = (handle: () => unknown): Promise<{ code?: number; message?: string }> =>
  new Promise((resolve) => {
    unary(handle)({ request: undefined } as never, (error) => {
      const answer: { code?: number; message?: string } = error ?? {};
      // As the server does.
      encodeURI(answer.message ?? '');
      resolve(answer);
    });
  });
const throwing = (thrown: unknown) => () => {
  throw thrown;
};

describe('what a method throws is the error that Pulumi shows', () => {
  test.each([
    ['an error', new Error('no such image'), 'no such image'],
    ['a text', 'no such image', 'no such image'],
    ['half a character', new Error('half \ud83d'), 'half \ufffd'],
  ])('%s', async (_, thrown, message) => {
    expect(await answerTo(throwing(thrown))).toEqual({ code: grpc.status.UNKNOWN, message });
  });

  test('what has no text is an error all the same', async () => {
    expect(await answerTo(throwing(Object.create(null)))).toMatchObject({ code: grpc.status.INTERNAL });
  });

  test('of a long one the beginning and the end, which fit into a header', async () => {
    const { message = '' } = await answerTo(throwing(new Error(`begins ${'語'.repeat(70_000)} ends`)));
    expect(message).toMatch(/^begins 語+\n\[64012 characters left out\]\n語+ ends$/);
    expect(encodeURI(message).length).toBeLessThan(64 * 1024);
  });
});

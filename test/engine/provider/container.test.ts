import type Docker from 'dockerode';
import { expect, jest, test } from '@jest/globals';
import { container } from '../../../engine/provider/container.js';

test('a container whose image is looked up when it is cancelled is not made', async () => {
  const cancelled = new AbortController();
  const createContainer = jest.fn();
  const docker = {
    getImage: () => ({
      inspect: () => {
        cancelled.abort(new Error('the operation was cancelled'));
        return Promise.resolve({ Id: 'sha256:1' });
      },
    }),
    createContainer,
  } as unknown as Docker;
  const context = { docker, signal: cancelled.signal, warn: () => Promise.resolve() };
  await expect(container.create(context, { name: 'web', image: 'web:1' })).rejects.toThrow(
    "container web can't be created: the operation was cancelled",
  );
  expect(createContainer).not.toHaveBeenCalled();
});

import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, jest, test } from '@jest/globals';
import { leasesFolder, writeLease } from '../../runners/leases.js';
import { tidyUp } from '../../runners/tidy-up.js';
import { temporaryFolder } from '../helpers/temporary.js';
import { runId } from './support/fakes.js';
import { leaseOf } from './support/leases.js';

const cache = process.env['REHEARSAL_CACHE'];
afterEach(() => {
  jest.restoreAllMocks();
  if (cache === undefined) delete process.env['REHEARSAL_CACHE'];
  else process.env['REHEARSAL_CACHE'] = cache;
  process.exitCode = undefined;
});

test('a janitor leaves what was kept for a look', async () => {
  const folder = temporaryFolder('janitor');
  process.env['REHEARSAL_CACHE'] = folder;
  await writeLease(leaseOf(`main-${runId}-chat`, { runId, standing: true }));
  const log = jest.spyOn(console, 'log').mockReturnValue();
  const nowhere = path.join(folder, 'nowhere');

  await tidyUp({ runId, checkout: nowhere, pulumi: nowhere, folder });

  expect(log).not.toHaveBeenCalled();
  expect(process.exitCode).toBeUndefined();
});

test("a janitor says which of its run's leases it can't read, and destroys nothing", async () => {
  const folder = temporaryFolder('janitor');
  process.env['REHEARSAL_CACHE'] = folder;
  for (const stack of [`main-${runId}-chat`, 'main-another-chat']) await writeLease(leaseOf(stack));
  for (const name of readdirSync(leasesFolder())) writeFileSync(path.join(leasesFolder(), name), '{');
  const log = jest.spyOn(console, 'log').mockReturnValue();
  const nowhere = path.join(folder, 'nowhere');

  await tidyUp({ runId, checkout: nowhere, pulumi: nowhere, folder });

  const lines = log.mock.calls.map(([line]) => String(line));
  expect(lines).toEqual([
    expect.stringMatching(`main-${runId}-chat: its lease can't be read: it is cut short`),
  ]);
  expect(process.exitCode).toBe(1);
});

import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { applyRecommendation } from '../../../runners/diagnosis/apply.js';
import type { Change } from '../../../runners/report/diagnosis-schema.js';
import { runRecord, suiteRecord } from '../support/records.js';
import { temporaryFolder } from '../../helpers/temporary.js';

let folder: string;
beforeEach(() => {
  folder = temporaryFolder('apply');
});

const backendLimit: Change = {
  kind: 'setting',
  path: ['services', 'backend', 'memoryMb'],
  from: 512,
  to: 576,
};
const budget: Change = { kind: 'setting', path: ['budgetMb'], from: 1792, to: 2048 };

const recordWith = (recommended: Change[]) => runRecord([suiteRecord()], { recommended });

async function apply(settings: string, recommended: Change[]) {
  const file = path.join(folder, 'Pulumi.ci.yaml');
  await writeFile(file, settings);
  const edits = await applyRecommendation(recordWith(recommended), file).catch((error: unknown) => error);
  return { edits, text: await readFile(file, 'utf8') };
}

const commented = `# of the shop
config:
  rehearsal:profile: small # laptops
  rehearsal:services:
    # the backend of the branch
    backend:
      image: shop/backend:1
`;

describe('the recommendation', () => {
  test('goes into the settings, everything else as it was', async () => {
    const { edits, text } = await apply(commented, [backendLimit]);
    expect(edits).toEqual([{ key: 'rehearsal:services.backend.memoryMb', from: 512, to: 576 }]);
    expect(text).toBe(commented.replace('backend:1\n', 'backend:1\n      memoryMb: 576\n'));
  });

  test.each([
    [
      'a key without a namespace',
      'config:\n  profile: small\n  services:\n    backend:\n      memoryMb: 512\n',
    ],
    [
      'JSON text',
      `config:\n  rehearsal:profile: small\n  rehearsal:services: '{"backend":{"memoryMb":512}}'\n`,
    ],
    [
      'a map in one line',
      'config: {rehearsal:profile: small, rehearsal:services: {backend: {memoryMb: 512}}}\n',
    ],
  ])('finds the key that is there as %s', async (_, settings) => {
    const { text } = await apply(settings, [backendLimit]);
    expect(text).toContain('576');
    expect(text).not.toContain('512');
  });

  test('raises the budget of a profile with the limits, in one file that is valid', async () => {
    const larger = { ...backendLimit, to: 768 };
    const { edits, text } = await apply('config:\n  rehearsal:profile: small\n', [larger, budget]);
    expect(edits).toEqual([
      { key: 'rehearsal:services.backend.memoryMb', from: 512, to: 768 },
      { key: 'rehearsal:budgetMb', from: 1792, to: 2048 },
    ]);
    expect(text).toContain('rehearsal:budgetMb: 2048');
  });

  test('makes the file of a stack that had the defaults, with the profile that the run had', async () => {
    const file = path.join(folder, 'Pulumi.dev.yaml');
    await applyRecommendation(recordWith([backendLimit]), file);
    expect(await readFile(file, 'utf8')).toBe(
      'config:\n  rehearsal:profile: small\n  rehearsal:services:\n    backend:\n      memoryMb: 576\n',
    );
  });

  test.each(['', 'config:\n', '# nothing yet\n'])(
    'goes into a file without settings: %j',
    async (settings) => {
      const limit: Change = { ...backendLimit, from: 4096, to: 4352 };
      const file = path.join(folder, 'Pulumi.dev.yaml');
      await writeFile(file, settings);
      const { environment } = recordWith([]);
      const record = { recommended: [limit], environment: { ...environment, profile: 'standard' as const } };
      expect(await applyRecommendation(record, file)).toHaveLength(1);
      expect(await readFile(file, 'utf8')).toContain(
        'config:\n  rehearsal:services:\n    backend:\n      memoryMb: 4352\n',
      );
    },
  );

  test('is written once: the second time there is nothing to change', async () => {
    const first = await apply(commented, [backendLimit]);
    const second = await apply(first.text, [backendLimit]);
    expect(second).toEqual({ edits: [], text: first.text });
  });

  test('that is none, or for the command line only, changes nothing', async () => {
    const users: Change = { kind: 'option', option: '--users', from: 10, to: 4 };
    expect(await apply(commented, [])).toEqual({ edits: [], text: commented });
    expect(await apply(commented, [users])).toEqual({ edits: [], text: commented });
  });
});

describe('a recommendation is refused, and nothing written,', () => {
  test.each([
    {
      why: 'when it needs more than the budget that the settings name, with both numbers',
      settings: 'config:\n  rehearsal:profile: small\n  rehearsal:budgetMb: 1792\n',
      changes: [{ ...backendLimit, to: 768 }, budget],
      says: 'the recommended limits need a budget of 2048 MiB, rehearsal:budgetMb is 1792',
    },
    {
      why: 'when it needs more than the largest profile has',
      settings: 'config:\n  rehearsal:profile: small\n',
      changes: [
        { ...backendLimit, to: 16_384 },
        { ...budget, to: 17_664 },
      ],
      says: 'a budget of 17664 MiB, more than the 14336 MiB',
    },
    {
      why: 'when the settings have another profile than the run had',
      settings: 'config:\n  rehearsal:profile: standard\n',
      changes: [backendLimit],
      says: 'rehearsal:profile is standard, the run had small',
    },
    {
      why: 'when the settings have changed since the run',
      settings: 'config:\n  rehearsal:profile: small\n  rehearsal:services: {backend: {memoryMb: 540}}\n',
      changes: [backendLimit],
      says: 'rehearsal:services.backend.memoryMb is 540, the run had 512',
    },
    {
      why: 'when the limits would be above the budget',
      settings: 'config:\n  rehearsal:profile: small\n',
      changes: [{ ...backendLimit, to: 768 }],
      says: 'sum up to 1968 MiB, the budget (rehearsal:budgetMb) is 1792 MiB',
    },
    {
      why: 'when the settings are wrong already',
      settings: 'config:\n  rehearsal:profile: small\n  rehearsal:nonsense: 1\n',
      changes: [backendLimit],
      says: 'rehearsal:nonsense is not a known key',
    },
    {
      why: 'when the file is no YAML',
      settings: 'config: [\n',
      changes: [backendLimit],
      says: 'not valid YAML',
    },
  ])('$why', async ({ settings, changes, says }) => {
    const { edits, text } = await apply(settings, changes);
    expect(edits).toMatchObject({ message: expect.stringContaining(says) });
    expect(text).toBe(settings);
  });
});

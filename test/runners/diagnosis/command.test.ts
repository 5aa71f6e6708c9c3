import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { diagnosisOf } from '../../../runners/diagnosis/command.js';
import { diagnose } from '../../../runners/diagnosis/diagnose.js';
import type { RunRecord } from '../../../runners/report/record.js';
import { readRecording } from '../../helpers/recording.js';
import { runRecord, suiteRecord } from '../support/records.js';
import { temporaryFolder } from '../../helpers/temporary.js';

let checkout: string;
beforeEach(() => {
  checkout = temporaryFolder('diagnose');
});

async function keep(id: string, record: unknown): Promise<string> {
  const folder = path.join(checkout, '.rehearsal', 'runs', id);
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'record.json'), JSON.stringify(record));
  return folder;
}

function recorded(name: string): RunRecord {
  const { record, artifacts } = readRecording(name);
  return { ...record, ...diagnose(record, artifacts) };
}

const show = { applyRecommendation: false };
const apply = { applyRecommendation: true };

describe('rehearsal diagnose', () => {
  test('shows the last run, or the one that is named by its id or folder', async () => {
    await keep('aaa', recorded('start-period'));
    const folder = await keep('bbb', recorded('killed-from-outside'));
    await mkdir(path.join(checkout, '.rehearsal', 'runs', 'ccc'));
    expect(await diagnosisOf(show, checkout)).toContain('postgres was killed from outside');
    expect(await diagnosisOf({ ...show, run: 'aaa' }, checkout)).toContain('llm was still starting');
    await cp(folder, path.join(checkout, 'artifact'), { recursive: true });
    const elsewhere = { ...show, run: path.join(checkout, 'artifact') };
    expect(await diagnosisOf(elsewhere, checkout)).toContain('postgres was killed from outside');
  });

  test('says so when there is nothing to explain', async () => {
    await keep('aaa', runRecord([suiteRecord()]));
    expect(await diagnosisOf(show, checkout)).toContain('there is nothing to explain');
  });

  test('writes what is recommended into the settings of the stack, old and new shown', async () => {
    await keep('aaa', recorded('kept-per-user'));
    const file = path.join(checkout, 'Pulumi.shop.yaml');
    await writeFile(file, 'config:\n  rehearsal:profile: small\n');
    const text = await diagnosisOf({ ...apply, stack: 'shop' }, checkout);
    expect(text).toContain(
      'Written to Pulumi.shop.yaml:\n  rehearsal:services.backend.memoryMb: 512 → 896\n  rehearsal:budgetMb: 1792 → 2304',
    );
    expect(await readFile(file, 'utf8')).toContain('memoryMb: 896');
    expect(await diagnosisOf({ ...apply, stack: 'shop' }, checkout)).toContain('it has what is recommended');
  });

  test('writes nothing when nothing is recommended', async () => {
    await keep('aaa', recorded('unknown-paused'));
    expect(await diagnosisOf(apply, checkout)).toContain('no setting is recommended');
    await expect(readFile(path.join(checkout, 'Pulumi.dev.yaml'))).rejects.toThrow('ENOENT');
  });

  test.each([
    ['a run that is not there', { ...show, run: 'zzz' }, 'the run zzz:\n  - there is no record.json of it'],
    [
      'a stack without settings',
      { ...apply, run: 'aaa', stack: 'shpo' },
      'Pulumi.shpo.yaml:\n  - there is no such file',
    ],
    ['a record of another version', { ...show, run: 'old' }, 'it is of version 1, version 2 is needed'],
    ['a record that is cut short', { ...show, run: 'cut' }, 'it is damaged'],
  ])('refuses %s', async (_, choices, says) => {
    await keep('aaa', recorded('kept-per-user'));
    await keep('old', { version: 1 });
    await keep('cut', { version: 2 });
    await expect(diagnosisOf(choices, checkout)).rejects.toThrow(says);
  });

  test('refuses when no run left a record', async () => {
    await expect(diagnosisOf(show, checkout)).rejects.toThrow('no run left a record');
  });
});

import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { ConfigError } from '../../components/config.js';
import { parseJson } from '../json.js';
import { runsFolder } from '../plan.js';
import { recordVersion, runRecordSchema, type RunRecord } from '../report/record.js';
import { whyReport } from '../report/terminal.js';
import { settingsFile } from '../settings.js';
import { applyRecommendation } from './apply.js';

export interface DiagnoseChoices {
  /** A run's id, or its folder; the last run by default. */
  run?: string;
  /** Whose settings file takes the recommendation. */
  stack?: string;
  applyRecommendation: boolean;
}

const recordFile = 'record.json';

/**
 * Why a run was no "go", as text; on request, with what was written into the stack's settings for it.
 * @throws ConfigError when there is no such run or file, or the settings with the recommendation would be wrong.
 */
export async function diagnosisOf(choices: DiagnoseChoices, checkout: string): Promise<string> {
  const record = await readRecord(await folderOf(choices.run, checkout));
  const whys = whyReport(record);
  const said = whys.length === 0 ? [`Run ${record.runId}: there is nothing to explain`] : whys;
  if (choices.applyRecommendation) said.push(await apply(record, choices.stack, checkout));
  return said.join('\n\n');
}

async function folderOf(run: string | undefined, checkout: string): Promise<string> {
  const runs = path.join(checkout, runsFolder);
  if (run !== undefined) {
    const folders = [path.join(runs, run), path.resolve(run)];
    const known = folders.find((folder) => existsSync(path.join(folder, recordFile)));
    if (known === undefined) throw new ConfigError([`there is no ${recordFile} of it`], `the run ${run}`);
    return known;
  }
  const ids = await readdir(runs).catch((): string[] => []);
  // Ids sort by the time of their run.
  const last = ids.sort().findLast((id) => existsSync(path.join(runs, id, recordFile)));
  if (last === undefined) throw new ConfigError(['no run left a record'], runsFolder);
  return path.join(runs, last);
}

async function readRecord(folder: string): Promise<RunRecord> {
  const raw = parseJson(await readFile(path.join(folder, recordFile), 'utf8'));
  const parsed = runRecordSchema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const version = (raw as { version?: unknown } | undefined)?.version;
  const problem =
    version === recordVersion
      ? `it is damaged: ${parsed.error.issues.map(({ path: at, message }) => `${at.join('.')}: ${message}`).join('; ')}`
      : `it is of version ${String(version)}, version ${String(recordVersion)} is needed: run again`;
  throw new ConfigError([problem], path.join(path.basename(folder), recordFile));
}

async function apply(record: RunRecord, stack: string | undefined, checkout: string): Promise<string> {
  const name = settingsFile(stack);
  const file = path.join(checkout, name);
  if (stack !== undefined && !existsSync(file)) throw new ConfigError(['there is no such file'], name);
  const edits = await applyRecommendation(record, file);
  if (edits.length === 0) {
    const why = record.recommended.some(({ kind }) => kind === 'setting')
      ? 'it has what is recommended'
      : 'no setting is recommended';
    return `${name} is as it was: ${why}`;
  }
  return [
    `Written to ${name}:`,
    ...edits.map(
      ({ key, from, to }) => `  ${key}: ${from === undefined ? 'not set' : String(from)} → ${String(to)}`,
    ),
  ].join('\n');
}

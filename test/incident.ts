/**
 * `npm run incident`: the incident that this project grew out of, in two acts. Five suites at once, ten users each,
 * share one environment that was sized for a single user; then its diagnosis' recommendation is applied, and the same
 * load runs again.
 */
import { copyFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { Command } from 'commander';
import { terminalProgress } from '../engine/progress.js';
import { checkout } from '../engine/state.js';
import { applyRecommendation } from '../runners/diagnosis/apply.js';
import { messageOf } from '../runners/errors.js';
import { exitCodes } from '../runners/exit-codes.js';
import { rehearse, type Rehearsal } from '../runners/rehearsal.js';
import type { RunRecord } from '../runners/report/record.js';
import { verdictLine } from '../runners/report/content.js';
import { table } from '../runners/report/terminal.js';
import { incidentRows, problemsOfIncident, problemsOfRemedy, slowDelivery } from './helpers/incident.js';

const stack = 'incident-scenario';
const settings = path.join(import.meta.dirname, 'incident', 'settings.yaml');
const users = 10;
const progress = terminalProgress();

const say = (...paragraphs: readonly string[]): void => {
  process.stdout.write(`${paragraphs.map((text) => `\n${text}\n`).join('')}\n`);
};

class Interrupted extends Error {}

async function act(): Promise<Rehearsal> {
  const choices = {
    stack,
    suites: [],
    categories: ['critical'],
    users,
    keepOnFailure: false,
    together: true,
  };
  const rehearsal = await rehearse(choices, checkout, progress);
  const { record, folder, abandoned } = rehearsal;
  say(verdictLine(record), `Artifacts: ${folder}`);
  // What is up is the janitor's now.
  if (abandoned) process.exit(exitCodes.interrupted);
  if (record.interrupted) throw new Interrupted('interrupted');
  return rehearsal;
}

/** The chain of one suite that failed: the others' end at the same limit. */
function chainOf(record: RunRecord): string {
  const diagnosis = record.diagnosis.find(({ conclusion }) => conclusion.kind === 'explained');
  if (diagnosis === undefined) return 'No failure was explained.';
  const because = diagnosis.chain.map(
    ({ says }, index) => `${'  '.repeat(index)}${index === 0 ? '' : '← '}${says}`,
  );
  return because.join('\n');
}

/** @returns what isn't as it should be, in words. */
async function play(file: string): Promise<string[]> {
  say('Act 1: the environment as it was in the incident.');
  const before = await act();
  say(chainOf(before.record));
  const unlike = problemsOfIncident(before.record);
  if (unlike.length > 0) return unlike;

  const edits = await applyRecommendation(before.record, file);
  say(
    'Act 2: the same load, with the recommendation applied.',
    edits.map(({ key, from, to }) => `${key}: ${String(from)} → ${String(to)}`).join('\n'),
  );
  if (edits.length === 0) return ['the diagnosis recommends nothing that could be applied'];
  const after = await act();
  const slow = slowDelivery(after.record);
  say(
    table(incidentRows(before.record, after.record)),
    ...(slow === undefined ? [] : [`Not fast enough on this machine, whatever the memory: ${slow}`]),
  );
  const problems = problemsOfRemedy(after.record);
  if (problems.length > 0) return problems;
  const beyond = slow === undefined ? '' : '; no-go is left for nothing but the pace of this machine';
  say(
    `As it should be: no-go and explained, then every suite passes inside the memory recommended${beyond}.`,
  );
  return [];
}

async function incident(): Promise<void> {
  const file = path.join(checkout, `Pulumi.${stack}.yaml`);
  await copyFile(settings, file);
  try {
    const problems = await play(file);
    if (problems.length === 0) return;
    process.stderr.write(`Not as it should be:\n${problems.map((problem) => `  - ${problem}\n`).join('')}`);
    process.exitCode = exitCodes.noGo;
  } finally {
    await rm(file);
  }
}

const program = new Command('npm run incident')
  .description(
    'Plays the incident: no-go with its cause, then the same load with the recommendation applied.',
  )
  .action(incident);

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = error instanceof Interrupted ? exitCodes.interrupted : exitCodes.error;
}

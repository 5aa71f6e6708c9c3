import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

const maxFailureLength = 8000;

const statusOf = (status) => (status === 'passed' || status === 'failed' ? status : 'skipped');

const failureText = (text) => {
  const plain = stripVTControlCharacters(text);
  return plain.length <= maxFailureLength ? plain : `${plain.slice(0, maxFailureLength)}\n… (cut)`;
};

/** One entry per test, and a failed one for a file that couldn't be loaded or cleaned up after. */
function entriesOf({ testFilePath, testResults, testExecError, failureMessage }) {
  const entries = testResults.map(({ fullName, status, duration, failureMessages }) => ({
    name: fullName,
    status: statusOf(status),
    durationMs: Math.round(duration ?? 0),
    ...(failureMessages.length === 0 ? {} : { failure: failureText(failureMessages.join('\n')) }),
  }));
  if (testExecError === undefined || testExecError === null) return entries;
  const name = `${relative(process.cwd(), testFilePath)} runs`;
  const failure = failureText(failureMessage ?? String(testExecError.message ?? testExecError));
  return [...entries, { name, status: 'failed', durationMs: 0, failure }];
}

/** Writes `tests.json` into REHEARSAL_RESULTS (docs/suites.md), complete or not at all. */
export default class SuiteReporter {
  onRunComplete(_contexts, { testResults }) {
    const folder = process.env.REHEARSAL_RESULTS;
    // The suite itself has failed with what is missing, and there is nowhere to write it to.
    if (folder === undefined || folder === '') return;
    const report = {
      suite: process.env.REHEARSAL_SUITE,
      users: Number(process.env.REHEARSAL_USERS ?? 10),
      tests: testResults.flatMap(entriesOf),
    };
    mkdirSync(folder, { recursive: true });
    const file = join(folder, 'tests.json');
    writeFileSync(`${file}.part`, `${JSON.stringify(report, undefined, 2)}\n`);
    renameSync(`${file}.part`, file);
  }
}

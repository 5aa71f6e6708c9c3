// A suite that only waits: `node bench/sleeping-suite.mjs SECONDS`. What such a run takes is the runner's.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';

const { REHEARSAL_RESULTS, REHEARSAL_SUITE, REHEARSAL_USERS } = process.env;
await setTimeout(Number(process.argv[2]) * 1000);
const tests = [{ name: 'waits', status: 'passed', durationMs: 1 }];
const report = { suite: REHEARSAL_SUITE, users: Number(REHEARSAL_USERS), tests };
writeFileSync(path.join(REHEARSAL_RESULTS, 'tests.json'), JSON.stringify(report));

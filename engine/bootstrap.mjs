/**
 * The first step of every command: plain JavaScript on Node's own modules, because on a fresh clone there
 * is nothing else. It brings the npm packages in and hands over, in this same process, so that signals and
 * exit codes need no passing on.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensurePackages } from './packages.mjs';

const root = path.dirname(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname));

/** Entry files by first argument; every other argument belongs to the runner. */
const entries = {
  tests: 'test/run.ts',
  soak: 'test/soak.ts',
  incident: 'test/incident.ts',
  chaos: 'test/chaos.ts',
  bench: 'bench/main.ts',
  doctor: 'engine/doctor.ts',
  pulumi: 'runners/pulumi-command.ts',
};

function checkNode() {
  const { engines } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  const required = engines.node.replace('>=', '');
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [requiredMajor, requiredMinor] = required.split('.').map(Number);
  if (major > requiredMajor || (major === requiredMajor && minor >= requiredMinor)) return;
  throw new Error(
    `Node ${required} or newer is needed, this is ${process.versions.node}: install a current LTS release`,
  );
}

async function main() {
  checkNode();
  await ensurePackages(root);
  const [first, ...rest] = process.argv.slice(2);
  const entry = Object.hasOwn(entries, first ?? '') ? entries[first] : undefined;
  const file = path.join(root, entry ?? 'runners/cli.ts');
  // The processes that a run starts work in other folders, and are to find the same cache.
  if (process.env.REHEARSAL_CACHE) process.env.REHEARSAL_CACHE = path.resolve(process.env.REHEARSAL_CACHE);
  process.argv = [process.execPath, file, ...(entry === undefined ? process.argv.slice(2) : rest)];
  const { register } = await import('tsx/esm/api');
  register();
  await import(pathToFileURL(file).href);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

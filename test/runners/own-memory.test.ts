import { expect, test } from '@jest/globals';
import { execa } from 'execa';
import { npmStart } from '../../engine/npm-start.js';
import { checkout } from '../../engine/state.js';

/** A run is to stay below 200 MB, whatever it does: what it only loads must leave room for that. */
const mostLoadedMb = 160;

test("what a run loads leaves room for a run in the runner's memory", async () => {
  const script = `
    const { watchOwnMemory } = await import('./runners/own-memory.ts');
    const memory = watchOwnMemory();
    await import('./runners/rehearsal.ts');
    process.stdout.write(String(memory.peakMb()));`;
  const [node, ...start] = npmStart();
  const flags = start.filter((word) => word.startsWith('--'));
  const module = ['--import', 'tsx', '--input-type=module', '--eval', script];
  const { stdout } = await execa(node, [...flags, ...module], { cwd: checkout });
  expect(Number(stdout)).toBeGreaterThan(30);
  expect(Number(stdout)).toBeLessThan(mostLoadedMb);
}, 60_000);

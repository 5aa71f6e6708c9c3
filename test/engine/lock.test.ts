import { EventEmitter, once } from 'node:events';
import { mkdir, readdir, utimes } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { tryLock, underLock } from '../../engine/lock.js';
import { checkout } from '../../engine/state.js';
import { temporaryFolder } from '../helpers/temporary.js';

const name = 'a.json';
let folder: string;
beforeEach(() => {
  folder = temporaryFolder('lock');
});

/** As a holder leaves it that was killed a minute ago. */
async function leave(number: number, of = name): Promise<void> {
  const lock = path.join(folder, `${of}.${String(number)}.lock`);
  await mkdir(lock);
  const past = new Date(Date.now() - 60_000);
  await utimes(lock, past, past);
}

describe('a lock', () => {
  test('is had by one, until it is released', async () => {
    const release = await tryLock(folder, name);
    expect(await tryLock(folder, name)).toBeUndefined();
    await release?.();
    expect(await readdir(folder)).toEqual([]);
    expect(await tryLock(folder, name)).toBeDefined();
  });

  test('of another name is another one', async () => {
    await tryLock(folder, name);
    expect(await tryLock(folder, 'a')).toBeDefined();
    expect(await tryLock(folder, `${name}.1`)).toBeDefined();
  });

  test('of a killed holder keeps nobody, and its trace is swept away by the next but one', async () => {
    await leave(3);
    const first = await tryLock(folder, name);
    expect((await readdir(folder)).sort()).toEqual([`${name}.3.lock`, `${name}.4.lock`]);
    await first?.();
    await leave(4);
    expect(await tryLock(folder, name)).toBeDefined();
    expect((await readdir(folder)).sort()).toEqual([`${name}.4.lock`, `${name}.5.lock`]);
  });

  test('of killed holders is had by one of many processes that come upon them together', async () => {
    const names = Array.from({ length: 400 }, (_, index) => `lock-${String(index)}`);
    for (const name of names) await leave(1, name);
    const program = `
      import { tryLock } from ${JSON.stringify(path.join(checkout, 'engine/lock.ts'))};
      import { createInterface } from 'node:readline';
      const [folder = '', ...names] = process.argv.slice(1);
      const orders = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
      console.log('ready');
      const startMs = Number((await orders.next()).value);
      while (Date.now() < startMs);
      const had = [];
      for (const name of names) if ((await tryLock(folder, name)) !== undefined) had.push(name);
      console.log(JSON.stringify(had));
      // What one has taken and given back at its end the next may have.
      await orders.next();
    `;
    const contenders = Array.from({ length: 4 }, () =>
      execa(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program, folder, ...names], {
        cwd: checkout,
      }),
    );
    const said = contenders.map((contender) => contender.iterable());
    const next = (): Promise<string[]> =>
      Promise.all(said.map(async (lines) => String((await lines.next()).value)));
    await next();
    const startMs = Date.now() + 200;
    for (const { stdin } of contenders) stdin.write(`${String(startMs)}\n`);
    const had = (await next()).flatMap((line) => JSON.parse(line) as string[]);
    for (const { stdin } of contenders) stdin.end();
    await Promise.all(contenders);
    expect(had.sort()).toEqual(names.sort());
  });
});

describe('two at work under one lock', () => {
  test('take turns, and the second is told', async () => {
    const events = new EventEmitter();
    const seen: string[] = [];
    const note = (event: string): void => {
      seen.push(event);
      events.emit(event);
    };
    const work = (who: string, inside: () => Promise<unknown>) =>
      underLock(
        {
          ...{ folder: path.join(folder, 'new'), name },
          onWait: () => {
            note(`${who} waits`);
          },
        },
        async () => {
          note(`${who} begins`);
          await inside();
          note(`${who} ends`);
        },
      );
    let second: Promise<void> | undefined;
    await work('first', async () => {
      const told = once(events, 'second waits');
      second = work('second', () => Promise.resolve());
      await Promise.race([told, second]);
    });
    await second;
    expect(seen).toEqual(['first begins', 'second waits', 'first ends', 'second begins', 'second ends']);
  });

  test('go on after the first failed', async () => {
    const failing = underLock({ folder, name }, () => Promise.reject(new Error('no')));
    await expect(failing).rejects.toThrow('no');
    expect(await underLock({ folder, name }, () => Promise.resolve('done'))).toBe('done');
  });
});

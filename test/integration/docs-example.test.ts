import { readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { checkout } from '../../engine/state.js';
import { runRecordSchema } from '../../runners/report/record.js';
import { artifactsOf, runCli } from '../helpers/cli.js';
import { temporaryFolder } from '../helpers/temporary.js';

/** The text of the first block of that language after a heading of a document. */
async function blockOf(document: string, heading: string, language: string): Promise<string> {
  const text = await readFile(path.join(checkout, 'docs', document), 'utf8');
  const [, section = ''] = text.split(`\n${heading}\n`);
  const [, block] = new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``).exec(section) ?? [];
  if (block === undefined) throw new Error(`${document} has no ${language} after "${heading}"`);
  return block;
}

test("a suite in a product's repository, as it is written down, is a GO", async () => {
  const shop = temporaryFolder('shop');
  const [settings, suite] = await Promise.all(
    ['yaml', 'js'].map((language) => blockOf('suites.md', '### An example', language)),
  );
  await writeFile(path.join(shop, 'package.json'), '{}');
  await writeFile(path.join(shop, 'chat.test.js'), suite ?? '');
  await symlink(path.join(checkout, 'node_modules'), path.join(shop, 'node_modules'));
  const result = await runCli({
    args: ['--profile', 'small'],
    settings: settings?.replace('../shop', shop) ?? '',
  });
  const text = await readFile(path.join(artifactsOf(result), 'record.json'), 'utf8');
  const { suites, verdict } = runRecordSchema.parse(JSON.parse(text));
  expect(suites).toMatchObject([
    { outcome: { kind: 'passed' }, latency: { measured: true, value: { count: 120, users: 10 } } },
  ]);
  // How fast events are depends on what else the machine does.
  const others = verdict.metrics.filter(({ name }) => name !== 'event delivery, p99');
  expect(new Set(others.map(({ result: is }) => is))).toEqual(new Set(['ok']));
}, 300_000);

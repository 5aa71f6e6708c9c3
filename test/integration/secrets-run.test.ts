import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { llmPort } from '../../components/llm.js';
import { connectDocker } from '../../engine/docker.js';
import { setUp, type EngineEnvironment } from '../../engine/setup.js';
import { exitCodes } from '../../runners/exit-codes.js';
import { leasesFolder } from '../../runners/leases.js';
import { runRecordSchema, type RunRecord } from '../../runners/report/record.js';
import type { Settings } from '../../runners/settings.js';
import { artifactsOf, runCli, type CliResult } from '../helpers/cli.js';
import { silentProgress } from '../helpers/progress.js';
import { secretSettings } from './support/settings.js';

/** Planted in the settings and the runner's environment, with characters that encodings change. */
const given = {
  apiKey: 'planted-key "7c1f" & <more>',
  dsn: 'planted-dsn/8d2a+b\\c',
  registry: 'planted-registry-9e3b',
  passphrase: 'planted passphrase af4c',
};
const suite = 'secrets';
const apiKeyPath = 'rehearsal:llmApiKey';
const dsnPath = 'rehearsal:services.backend.environment.SHOP_DSN';

let engine: EngineEnvironment;
/** Of the tests' own: settings, and what the suite hands over. */
let own: string;
let state: string;
let settings: Settings;

beforeAll(async () => {
  engine = await setUp({ progress: silentProgress });
  own = await mkdtemp(path.join(tmpdir(), 'rehearsal-secrets-'));
  state = path.join(own, 'state');
  await mkdir(state);
  await mkdir(path.join(own, 'settings'));
  await writeFile(path.join(own, 'given.json'), JSON.stringify(given));
  const env = {
    ...process.env,
    ...engine.env,
    PULUMI_BACKEND_URL: pathToFileURL(path.join(own, 'settings')).href,
    PULUMI_CONFIG_PASSPHRASE: given.passphrase,
  };
  settings = await secretSettings(
    { pulumi: engine.pulumi, env, folder: path.join(own, 'settings') },
    { [apiKeyPath]: given.apiKey, [dsnPath]: given.dsn, 'docker:registryAuth[0].password': given.registry },
  );
}, 600_000);

afterAll(async () => {
  await rm(own, { recursive: true });
});

function settingsFile(): string {
  const socket = engine.dockerHost.replace('unix://', '');
  const command = ['node', 'test/fixtures/suites/secrets.mjs', own, socket, state, leasesFolder()];
  const config = {
    ...settings.config,
    'rehearsal:profile': 'small',
    'rehearsal:llm': { baseUrl: `http://llm:${String(llmPort)}/v1`, model: 'external' },
    'rehearsal:suites': [{ name: suite, command, timeoutSeconds: 60 }],
  };
  return stringify({ ...settings.encryption, config });
}

/** Every command line of the machine, the containers' included, until it is stopped. */
function watchArguments(): () => string[] {
  const seen = new Set<string>();
  const look = (): void => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        seen.add(readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '));
      } catch {
        // It has ended meanwhile.
      }
    }
  };
  const timer = setInterval(look, 50);
  return () => {
    clearInterval(timer);
    return [...seen];
  };
}

/** Every event of the engine until it is stopped. */
async function watchEvents(): Promise<() => string> {
  const over = new AbortController();
  const stream = await connectDocker(engine.dockerHost).getEvents({ abortSignal: over.signal });
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => undefined);
  return () => {
    over.abort();
    return Buffer.concat(chunks).toString();
  };
}

/** The secret as it is, and in encodings that logs and traces have. */
function formsOf(secret: string): string[] {
  const inBase64 = ['', 'x', 'xx'].map((before) =>
    // Without the ends, where bits of the neighbours are.
    Buffer.from(`${before}${secret}`).toString('base64url').slice(4, -4),
  );
  const url = inBase64.map((text) => text.replaceAll('-', '+').replaceAll('_', '/'));
  return [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret), ...inBase64, ...url];
}

describe('a run with a suite that tells all it can', () => {
  let result: CliResult;
  let artifacts: string;
  let record: RunRecord;
  let argumentsSeen: string[];
  let events: string;
  let secrets: string[];

  beforeAll(async () => {
    const stopEvents = await watchEvents();
    const stopArguments = watchArguments();
    try {
      result = await runCli({
        args: [],
        settings: settingsFile(),
        ownState: false,
        env: {
          PULUMI_BACKEND_URL: pathToFileURL(state).href,
          PULUMI_CONFIG_PASSPHRASE: given.passphrase,
        },
      });
    } finally {
      argumentsSeen = stopArguments();
      events = stopEvents();
    }
    artifacts = artifactsOf(result);
    record = runRecordSchema.parse(JSON.parse(await readFile(path.join(artifacts, 'record.json'), 'utf8')));
    const found = JSON.parse(await readFile(path.join(own, 'found.json'), 'utf8')) as Record<string, string>;
    secrets = [...Object.values(given), ...Object.values(found)];
  }, 600_000);

  const held = (text: string): string[] =>
    secrets.flatMap(formsOf).filter((form) => text.includes(Buffer.from(form).toString('latin1')));

  test('hands the secrets to the service that needs them, and has none in its state or leases', () => {
    expect(Object.keys(given).length + 4).toBe(secrets.length);
    expect(record.suites[0]?.tests.slice(0, 3).map(({ name, status }) => [name, status])).toEqual([
      ['the backend has the secrets', 'passed'],
      ['the backend has logged them', 'passed'],
      ['no file of the folders has one', 'passed'],
    ]);
  });

  test.each([
    'record.json',
    'junit.xml',
    'summary.md',
    ...['suite.log', 'results/tests.json', 'results/trace.bin', 'results/latencies.jsonl'].map((file) =>
      path.join(suite, file),
    ),
    ...['backend.log', 'backend.json', 'postgres.json', 'redis.json'].map((file) =>
      path.join(suite, 'logs', file),
    ),
  ])('has them redacted in %s', async (file) => {
    expect(await readFile(path.join(artifacts, file), 'utf8')).toContain('[redacted]');
  });

  test('has none in any file of its artifacts and its state', async () => {
    expect(existsSync(path.join(artifacts, suite, 'environment.json'))).toBe(false);
    for (const searched of [artifacts, state]) {
      const files = await filesIn(searched);
      expect(files.length).toBeGreaterThan(0);
      for (const file of files) expect([file, held(await readFile(file, 'latin1'))]).toEqual([file, []]);
    }
  });

  test('has none on the terminal', () => {
    expect(result.stdout).toContain('[redacted]');
    expect(held(Buffer.from(`${result.stdout}${result.stderr}`).toString('latin1'))).toEqual([]);
  });

  test('has none in an argument of any process', () => {
    for (const part of ['pulumi', 'bootstrap.mjs', 'secrets.mjs', 'redis-server']) {
      expect(argumentsSeen.some((line) => line.includes(part))).toBe(true);
    }
    expect(held(argumentsSeen.join('\n'))).toEqual([]);
  });

  test("has none in a label, or in a command line of the engine's events", async () => {
    const labels = await readFile(path.join(own, 'labels.json'), 'latin1');
    expect((JSON.parse(labels) as object[]).length).toBeGreaterThan(8);
    expect(held(labels)).toEqual([]);
    expect(events).toContain('exec_create');
    expect(events).toContain(record.runId);
    expect(held(Buffer.from(events).toString('latin1'))).toEqual([]);
  });
});

test('a run whose secrets cannot be read starts nothing, with one error', async () => {
  const result = await runCli({
    args: [],
    settings: settingsFile(),
    env: { PULUMI_CONFIG_PASSPHRASE: 'wrong' },
  });
  expect(result.exitCode).toBe(exitCodes.error);
  for (const key of [apiKeyPath, 'rehearsal:services', 'docker:registryAuth']) {
    expect(result.stderr).toContain(`${key} can't be decrypted`);
  }
  expect(result.stderr).not.toMatch(/^\s+at /m);
  expect(result.stateFiles).toEqual([]);
}, 120_000);

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
}

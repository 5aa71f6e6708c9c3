import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { parseConfig } from '../components/config.js';
import { pgbouncerPort } from '../components/pgbouncer.js';
import { postgresPort } from '../components/postgres.js';
import { checkout } from '../engine/state.js';
import { systemClock } from '../engine/wait.js';
import { messageOf } from '../runners/errors.js';
import { parseStats } from '../runners/memory.js';
import { secretsOfEndpoints } from '../runners/redact.js';
import { explain } from '../runners/report/terminal.js';
import { allSuites, chooseSuites } from '../runners/suites.js';
import { commandRunner, judge } from '../runners/suite-runner.js';
import { endpointsAt, type Blueprint } from './blueprint.js';
import { shown } from './figure-table.js';
import { floorWay, type FloorPlace } from './floor.js';
import type { BenchTable } from './part.js';
import { blueprintOfProfile } from './rounds.js';
import type { Site } from './site.js';
import type { Figure } from './statistics.js';
import type { Tenant } from './way.js';

const users = 100;
const suiteName = 'websocket-agent-events';
const intervalMs = 200;

interface DatabaseLoad {
  /** Most at the same time. */
  backends: number;
  peakMb: number;
}

interface Loaded extends DatabaseLoad {
  passed: string;
}

/** PostgreSQL under the same load with PgBouncer before it, as it is, and with the services connected directly. */
export async function poolerFigures(site: Site): Promise<{ figures: Figure[]; table: BenchTable }> {
  const blueprint = await blueprintOfProfile(site, 'standard');
  const ways = [
    { name: 'with PgBouncer', plan: blueprint },
    { name: 'without', plan: withoutPooler(blueprint) },
  ];
  const rows: string[][] = [];
  const figures: Figure[] = [];
  for (const { name, plan } of ways) {
    const step = site.progress.step(`PostgreSQL ${name}, ${String(users)} users`);
    try {
      const { backends, peakMb, passed } = await site.withTenant('pooler', 'standard', (tenant) =>
        loadedDatabase(site, plan, tenant),
      );
      rows.push([name, String(backends), shown(peakMb), passed]);
      figures.push(
        { name: `PostgreSQL backends, ${name}`, unit: '', values: [backends] },
        { name: `PostgreSQL memory, ${name}`, unit: 'MiB', values: [peakMb] },
      );
      step.done();
    } catch (error) {
      step.fail(messageOf(error));
      throw error;
    }
  }
  const title = `PostgreSQL at ${String(users)} users (suite ${suiteName}), most at the same time`;
  return { figures, table: { title, rows: { head: ['', 'backends', 'MiB', 'tests that passed'], rows } } };
}

/** The same environment, but auth and backend connect to PostgreSQL themselves. */
export function withoutPooler(blueprint: Blueprint): Blueprint {
  const direct = (entry: string): string =>
    entry.startsWith('DATABASE_URL=')
      ? entry.replace(`@pgbouncer:${String(pgbouncerPort)}/`, `@postgres:${String(postgresPort)}/`)
      : entry;
  const services = Object.entries(blueprint.services).map(([name, service]) => [
    name,
    { ...service, environment: service.environment.map(direct) },
  ]);
  return { ...blueprint, services: Object.fromEntries(services) as Blueprint['services'] };
}

async function loadedDatabase(site: Site, plan: Blueprint, tenant: Tenant): Promise<Loaded> {
  const place = await floorWay(site.docker, plan).prepare(tenant);
  await place.up(site.signal);
  const watch = await watchDatabase(site, plan, place);
  let passed: string;
  try {
    passed = await runSuite(site, plan, tenant, place);
  } finally {
    await watch.end();
  }
  await place.down();
  return { ...watch.most, passed };
}

/** @returns how many of its tests passed: so many users at once may be too many. */
async function runSuite(
  site: Site,
  plan: Blueprint,
  { folder, scope }: Tenant,
  place: FloorPlace,
): Promise<string> {
  const [suite] = chooseSuites(allSuites(parseConfig({}, 'the benchmark'), checkout), [suiteName], []);
  if (suite === undefined) throw new Error(`there is no suite ${suiteName}`);
  const endpoints = endpointsAt(plan, place.ports());
  const environmentFile = path.join(folder, 'environment.json');
  await writeFile(environmentFile, JSON.stringify(endpoints), { mode: 0o600 });
  const suiteFolder = path.join(folder, suite.name);
  await mkdir(suiteFolder);
  const ended = await commandRunner(checkout, site.chromium, { REHEARSAL_RUN: scope.runId }).run({
    ...{ suite, environmentFile, folder: suiteFolder, users, signal: site.signal },
    secrets: secretsOfEndpoints(endpoints),
    onLine: () => undefined,
  });
  if (!ended.tests.measured) throw new Error(explain(judge(ended), []).join('\n'));
  const tests = ended.tests.value;
  return `${String(tests.filter(({ status }) => status === 'passed').length)} of ${String(tests.length)}`;
}

/** Asks PostgreSQL for its backends, our own apart, and the engine for its memory. */
async function watchDatabase(
  site: Site,
  plan: Blueprint,
  place: FloorPlace,
): Promise<{ most: DatabaseLoad; end: () => Promise<void> }> {
  const { postgres } = endpointsAt(plan, place.ports());
  const container = site.docker.getContainer(place.containerId('postgres'));
  const client = new pg.Client(postgres);
  await client.connect();
  const most = { backends: 0, peakMb: 0 };
  const question =
    "select count(*)::int as count from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()";
  let isOver = false;
  const look = async (): Promise<void> => {
    while (!isOver) {
      const [answer, stats] = await Promise.all([
        client.query<{ count: number }>(question),
        container.stats({ stream: false, 'one-shot': true }),
      ]);
      most.backends = Math.max(most.backends, answer.rows[0]?.count ?? 0);
      most.peakMb = Math.max(most.peakMb, parseStats(stats)?.usedMb ?? 0);
      await systemClock.sleep(intervalMs);
    }
  };
  const looking = look();
  looking.catch(() => undefined);
  return {
    most,
    async end() {
      isOver = true;
      await looking;
      await client.end();
    },
  };
}

import Table from 'cli-table3';
import { imageNames } from '../images/manifest.js';
import { browserObstacle, installedBrowser } from './browser.js';
import { cacheFolder } from './cache.js';
import { runningDaemon, stopDaemon } from './daemon.js';
import { connectDocker, elsewhere, resolveDockerHost } from './docker.js';
import { daemonFolder, decideDocker, dockerFacts } from './docker-engine.js';
import { imagesObstacle, presentImage } from './images.js';
import { type Found, type Piece } from './pieces.js';
import { presentPlugin } from './provider-plugin.js';
import { presentLanguageHost, presentPulumi, pulumiObstacle } from './pulumi-cli.js';

interface Finding {
  piece: Piece | 'service images';
  /** `to do` is made by the next set-up; `impossible` keeps a run from starting. */
  state: 'ready' | 'to do' | 'impossible';
  detail: string;
}

/** Looks at every piece and changes nothing. */
async function examine(cache: string): Promise<Finding[]> {
  const [docker, pulumi, plugin, browser] = await Promise.all([
    examineDocker(cache),
    examinePulumi(cache),
    presentPlugin(cache),
    installedBrowser(),
  ]);
  return [
    ...docker,
    ...pulumi,
    { piece: 'Docker provider', state: 'ready', detail: describe(plugin) },
    await finding('browser', browser, browserObstacle),
  ];
}

async function examineDocker(cache: string): Promise<Finding[]> {
  const piece = 'Docker Engine';
  const images = (state: Finding['state'], detail: string): Finding => ({
    piece: 'service images',
    state,
    detail,
  });
  const impossible = (detail: string): Finding[] => [
    { piece, state: 'impossible', detail },
    images('impossible', 'they need Docker Engine'),
  ];
  const host = resolveDockerHost();
  const far = elsewhere(host);
  if (far !== undefined) return impossible(far);
  const facts = await dockerFacts(host);
  const decision = decideDocker(facts);
  if (decision.kind === 'refuse') return impossible(decision.message);
  if (decision.kind === 'start') {
    const verb = decision.install
      ? 'installs docker.io with apt and starts it'
      : 'starts the installed dockerd';
    return [
      { piece, state: 'to do', detail: `the set-up ${verb}` },
      images('to do', 'looked for once the Engine runs'),
    ];
  }
  const own = await runningDaemon(daemonFolder(cache));
  const remark =
    own === undefined ? '' : `, started by a set-up (process ${own.pid}; "npm run doctor -- --stop" ends it)`;
  const client = connectDocker(facts.host);
  return [
    { piece, state: 'ready', detail: `${decision.version} at ${facts.host}${remark}` },
    ...(await Promise.all(
      imageNames.map(async (name) =>
        finding(`image ${name}`, await presentImage(client, name), () => imagesObstacle(client)),
      ),
    )),
  ];
}

async function examinePulumi(cache: string): Promise<Finding[]> {
  const cli = await presentPulumi(cache);
  const languageHost = await presentLanguageHost(cache, cli);
  return [
    await finding('Pulumi CLI', cli, pulumiObstacle),
    await finding('Node language host', languageHost, pulumiObstacle),
  ];
}

async function finding(
  piece: Piece,
  present: Found | undefined,
  obstacle: () => Promise<string | undefined>,
): Promise<Finding> {
  if (present !== undefined) return { piece, state: 'ready', detail: describe(present) };
  const detail = await obstacle();
  return detail === undefined
    ? { piece, state: 'to do', detail: 'the set-up gets it' }
    : { piece, state: 'impossible', detail };
}

const describe = ({ way, version }: Found): string => `${version}, ${way}`;

/** Why the set-up's daemon isn't stopped, if so. One that doesn't answer has nothing that could be asked for. */
async function whatWouldEnd(cache: string): Promise<string | undefined> {
  const daemon = await runningDaemon(daemonFolder(cache));
  if (daemon === undefined) return undefined;
  const containers = await connectDocker(daemon.host)
    .listContainers()
    .catch(() => []);
  if (containers.length === 0) return undefined;
  const names = containers.map(({ Id, Names: [name] }) => name?.replace(/^\//, '') ?? Id.slice(0, 12));
  return (
    `Docker daemon ${daemon.pid} was not stopped: it still runs ${names.join(', ')}, which would end with it. ` +
    'Destroy environments with "npm run rehearsal -- down --stack <name>" or "npm run rehearsal -- gc" first'
  );
}

async function main(args: string[]): Promise<number> {
  const cache = cacheFolder();
  if (args.length === 1 && args[0] === '--stop') {
    const obstacle = await whatWouldEnd(cache);
    if (obstacle !== undefined) throw new Error(obstacle);
    const pid = await stopDaemon(daemonFolder(cache));
    console.log(
      pid === undefined
        ? 'No Docker daemon runs that a set-up of this user started.'
        : `Docker daemon ${pid} has ended.`,
    );
    return 0;
  }
  if (args.length > 0) throw new Error(`doctor takes --stop or nothing, not "${args.join(' ')}"`);
  const findings = await examine(cache);
  const table = new Table({
    head: ['piece', 'state', 'detail'],
    colWidths: [20, 12, 84],
    wordWrap: true,
    style: { head: [], border: [], compact: true },
  });
  table.push(...findings.map(({ piece, state, detail }) => [piece, state, detail]));
  const impossible = findings.filter(({ state }) => state === 'impossible');
  const verdict =
    impossible.length === 0
      ? `A run can start. Cache: ${cache}`
      : `A run can't start: ${impossible.map(({ piece }) => piece).join(', ')}`;
  console.log(`${table.toString()}\n${verdict}`);
  return impossible.length === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));

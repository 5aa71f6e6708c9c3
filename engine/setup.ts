import path from 'node:path';
import { imageNames } from '../images/manifest.js';
import { ensureAwsPlugin } from './aws-plugin.js';
import { ensureBrowser } from './browser.js';
import { cacheFolder } from './cache.js';
import { underLock } from './lock.js';
import { connectDocker } from './docker.js';
import { ensureDocker, reachDocker } from './docker-engine.js';
import { ImageBuilder } from './images.js';
import { Pieces } from './pieces.js';
import { type Progress } from './progress.js';
import { ensurePrivateHome } from './provider-plugin.js';
import { ensureLanguageHost, ensurePulumi } from './pulumi-cli.js';
import type { SshTarget } from './ssh/target.js';
import { stateEnvironment } from './state.js';

export interface EngineEnvironment {
  /** Address of the Docker Engine: `unix://…`, `tcp://…` or `ssh://…`. */
  dockerHost: string;
  /** Absolute path of the Pulumi CLI. */
  pulumi: string;
  /** What a spawned Pulumi CLI needs on top of the inherited environment. */
  env: Record<string, string>;
  /** Where each piece came from. */
  sources: Pieces['sources'];
}

interface SetUpOptions {
  progress: Progress;
  /** Whether the service images are wanted. Default true. */
  images?: boolean;
  /** Whether suites are to run, one of which drives a page. Default true. */
  browser?: boolean;
  /** Another machine, whose Docker Engine is to be used; by default the one that the `docker` command talks to. */
  target?: SshTarget | undefined;
  /** Whether Docker Engine is to be installed here where it is missing. Default true. */
  installDocker?: boolean;
  /** Whether a stack on AWS is to come up: that takes its provider as well. Default false. */
  aws?: boolean;
}

/**
 * Makes everything ready that a run needs from this machine: what is installed is used, else the official
 * download, else a fallback. Two at once take turns; an interrupted one leaves nothing half made.
 * @throws Error that lists every piece that can't be had, with the remedy.
 */
export async function setUp(options: SetUpOptions): Promise<EngineEnvironment> {
  const cache = cacheFolder();
  const onWait = (): void => {
    options.progress.note(`Another set-up works in ${cache}: waiting for it …`);
  };
  return underLock({ folder: cache, name: 'set-up', onWait }, () => setUpIn(cache, options));
}

async function setUpIn(
  cache: string,
  { progress, images = true, browser = true, target, installDocker = true, aws = false }: SetUpOptions,
): Promise<EngineEnvironment> {
  const pieces = new Pieces(progress);
  const engineAndImages = async () => {
    const engine = await pieces.get('Docker Engine', (update) =>
      target === undefined ? ensureDocker(cache, update, installDocker) : reachDocker(target, update),
    );
    if (!images) return engine;
    const builder = new ImageBuilder(connectDocker(engine.host));
    await Promise.allSettled(
      imageNames.map((name) => pieces.get(`image ${name}`, (update) => builder.ensure(name, update))),
    );
    return engine;
  };
  const pulumiPieces = async () => {
    const cli = await pieces.get('Pulumi CLI', (update) => ensurePulumi(cache, update));
    const languageHost = await pieces.get('Node language host', (update) =>
      ensureLanguageHost(cache, cli, update),
    );
    const home = await pieces.get('Docker provider', (update) => ensurePrivateHome(cache, cli.path, update));
    if (aws) await pieces.get('AWS provider', (update) => ensureAwsPlugin(home.folder, cli.path, update));
    return { cli, languageHost, home };
  };
  const chromium = browser ? pieces.get('browser', ensureBrowser) : Promise.resolve(undefined);
  const work = [engineAndImages(), pulumiPieces(), chromium] as const;
  // Every piece comes to its end, so that a failure of one leaves none at work behind the error.
  await Promise.allSettled(work);
  pieces.assertComplete();
  const [engine, { cli, languageHost, home }, found] = await Promise.all(work);

  const searchPath = [
    path.dirname(cli.path),
    path.dirname(languageHost.path),
    path.dirname(process.execPath),
    process.env.PATH ?? '',
  ];
  return {
    dockerHost: engine.host,
    pulumi: cli.path,
    env: {
      ...(await stateEnvironment()),
      PATH: searchPath.join(path.delimiter),
      PULUMI_HOME: home.folder,
      PULUMI_SKIP_UPDATE_CHECK: 'true',
      NODE_OPTIONS: [process.env.NODE_OPTIONS, `--import=${loaderUrl()}`].filter(Boolean).join(' '),
      DOCKER_HOST: engine.host,
      ...(found === undefined ? {} : { REHEARSAL_CHROMIUM: found.path }),
    },
    sources: pieces.sources,
  };
}

/**
 * For an `up`: the set-up has had every provider that it needs. Pulumi itself would fetch those of all packages that the
 * program could load, such as AWS's for a stack that is here.
 */
export const withoutDownloads = { PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: 'true' };

/** Runs TypeScript in the program's process: the language host built here ignores the options in Pulumi.yaml. */
const loaderUrl = (): string => new URL('loader.mjs', import.meta.url).href;

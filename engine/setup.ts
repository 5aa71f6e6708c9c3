import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { imageNames } from '../images/manifest.js';
import { ensureBrowser } from './browser.js';
import { cacheFolder, underLock } from './cache.js';
import { connectDocker } from './docker.js';
import { ensureDocker } from './docker-engine.js';
import { ImageBuilder } from './images.js';
import { type Found, type Piece, type Source } from './pieces.js';
import { type Progress } from './progress.js';
import { ensurePrivateHome } from './provider-plugin.js';
import { ensureLanguageHost, ensurePulumi } from './pulumi-cli.js';
import { stateEnvironment } from './state.js';

export interface EngineEnvironment {
  /** Address of the Docker Engine: `unix://…`, `tcp://…` or `ssh://…`. */
  dockerHost: string;
  /** Absolute path of the Pulumi CLI. */
  pulumi: string;
  /** What a spawned Pulumi CLI needs beside the inherited environment. */
  env: Record<string, string>;
  /** Where each piece came from. */
  sources: Partial<Record<Piece, Source>>;
}

interface SetUpOptions {
  progress: Progress;
  /** Whether the service images are wanted. Default true. */
  images?: boolean;
}

/**
 * Makes everything ready that a run needs from this machine: what is installed is used, else the official
 * download, else a fallback. Two at once take turns; an interrupted one leaves nothing half made.
 * @throws Error of the first piece that can't be had, with the remedy.
 */
export async function setUp({ progress, images = true }: SetUpOptions): Promise<EngineEnvironment> {
  const cache = cacheFolder();
  return underLock(
    cache,
    () => {
      progress.note(`Another set-up works in ${cache}: waiting for it …`);
    },
    async () => {
      const sources: EngineEnvironment['sources'] = {};
      const problems = new Map<unknown, string>();
      const piece = async <T extends Found>(
        name: Piece,
        ensure: (update: (detail: string) => void) => Promise<T>,
      ): Promise<T> => {
        const step = progress.step(name);
        const startedMs = performance.now();
        try {
          const found = await ensure((detail) => {
            step.update(detail);
          });
          sources[name] = {
            way: found.way,
            version: found.version,
            tookMs: Math.round(performance.now() - startedMs),
          };
          step.done([found.way, found.version, found.detail].filter(Boolean).join(', '));
          return found;
        } catch (error) {
          step.fail('failed');
          problems.set(error, `${name}: ${error instanceof Error ? error.message : String(error)}`);
          throw error;
        }
      };

      const dockerAndImages = async (): Promise<string> => {
        const engine = await piece('Docker Engine', async (update) => {
          const { host, version, started } = await ensureDocker(cache, update);
          return { way: started ? ('fallback' as const) : ('installed' as const), version, host };
        });
        if (images) {
          const builder = new ImageBuilder(connectDocker(engine.host));
          await Promise.all(
            imageNames.map((name) => piece(`image ${name}`, (update) => builder.ensure(name, update))),
          );
        }
        return engine.host;
      };
      const pulumiPieces = async () => {
        const cli = await piece('Pulumi CLI', (update) => ensurePulumi(cache, update));
        const host = await piece('Node language host', (update) => ensureLanguageHost(cache, cli, update));
        const home = await piece('Docker provider', (update) => ensurePrivateHome(cache, cli.path, update));
        return { cli, host, home };
      };
      const work = [dockerAndImages(), pulumiPieces(), piece('browser', ensureBrowser)] as const;
      // Every piece comes to its end, so that a failure of one leaves none at work behind the error.
      await Promise.allSettled(work);
      if (problems.size > 0) {
        const cause = problems.keys().next().value;
        throw new Error(`The set-up can't be finished:\n${[...problems.values()].join('\n')}`, { cause });
      }
      const [dockerHost, pulumi, browser] = await Promise.all(work);

      return {
        dockerHost,
        pulumi: pulumi.cli.path,
        env: {
          ...(await stateEnvironment()),
          PATH: [
            path.dirname(pulumi.cli.path),
            path.dirname(pulumi.host.path),
            dynamicProviderFolder(),
            path.dirname(process.execPath),
            process.env.PATH ?? '',
          ].join(path.delimiter),
          PULUMI_HOME: pulumi.home.folder,
          PULUMI_SKIP_UPDATE_CHECK: 'true',
          NODE_OPTIONS: [process.env.NODE_OPTIONS, `--import=${loaderUrl()}`].filter(Boolean).join(' '),
          DOCKER_HOST: dockerHost,
          REHEARSAL_CHROMIUM: browser.path,
        },
        sources,
      };
    },
  );
}

const resolver = createRequire(import.meta.url);

/** The official CLI brings the provider of dynamic resources; for the one built here the npm package has it. */
function dynamicProviderFolder(): string {
  return path.dirname(resolver.resolve('@pulumi/pulumi/package.json'));
}

function loaderUrl(): string {
  return pathToFileURL(resolver.resolve('tsx')).href;
}

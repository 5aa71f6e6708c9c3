import { cp, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type Docker from 'dockerode';
import { execa } from 'execa';
import * as z from 'zod';
import { cacheFolder } from '../../../../engine/cache.js';
import { connectDocker } from '../../../../engine/docker.js';
import { ImageBuilder } from '../../../../engine/images.js';
import { ensureEmbeddedHome } from '../../../../engine/provider-plugin.js';
import { setUp, type EngineEnvironment } from '../../../../engine/setup.js';
import { imageReference } from '../../../../images/manifest.js';
import { silentProgress } from '../../../helpers/progress.js';

const checkout = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../..');
const program = path.join(checkout, 'test', 'fixtures', 'docker-program');
const stackName = 'test';

/** What a test changes of the program's resources. */
export interface Settings {
  network?: object;
  volume?: object;
  container?: object;
  /** NAME=value, given to the program's container as secrets. */
  secretEnvs?: string[];
  image?: string;
  /** Host of the provider, by `docker:host`. */
  host?: string;
}

interface Result {
  failed: boolean;
  /** Everything the CLI wrote. */
  output: string;
}

const exportSchema = z.object({
  deployment: z.object({
    resources: z
      .array(
        z.object({
          type: z.string(),
          id: z.string().default(''),
          outputs: z.record(z.string(), z.unknown()).default({}),
        }),
      )
      .default([]),
  }),
});

/** Pulumi's real engine with the embedded provider, whichever provider the set-up would choose. */
export interface Machine {
  docker: Docker;
  engine: EngineEnvironment;
}

export async function openMachine(): Promise<Machine> {
  const engine = await setUp({ progress: silentProgress, images: false });
  const docker = connectDocker(engine.dockerHost);
  await new ImageBuilder(docker).ensure('redis', () => undefined);
  const home = await ensureEmbeddedHome(cacheFolder());
  return {
    docker,
    engine: { ...engine, env: { ...engine.env, PULUMI_HOME: home } },
  };
}

/** A stack of its own of the fixture program. Everything it makes carries the label `rehearsal.test=<label>`. */
export async function openStack({ docker, engine }: Machine) {
  const folder = await mkdtemp(path.join(tmpdir(), 'rehearsal-provider-'));
  const state = await mkdtemp(path.join(tmpdir(), 'rehearsal-state-'));
  const label = path.basename(folder);
  await cp(program, folder, { recursive: true });
  await symlink(path.join(checkout, 'node_modules'), path.join(folder, 'node_modules'));

  const pulumi = async (args: string[], settings: Settings = {}): Promise<Result> => {
    const { host, ...rest } = settings;
    const result = await execa(engine.pulumi, [...args, '--stack', stackName, '--non-interactive'], {
      cwd: folder,
      env: {
        ...engine.env,
        PULUMI_BACKEND_URL: `file://${state}`,
        PULUMI_CONFIG_PASSPHRASE: 'test',
        SETTINGS: JSON.stringify({ label, image: imageReference('redis'), ...rest }),
        ...(host === undefined ? {} : { DOCKER_HOST: host }),
      },
      all: true,
      reject: false,
    });
    return { failed: result.failed, output: result.all };
  };
  const succeed = async (args: string[], settings?: Settings): Promise<string> => {
    const { failed, output } = await pulumi(args, settings);
    if (failed) throw new Error(`pulumi ${args.join(' ')} failed:\n${output}`);
    return output;
  };
  const apply = ['--yes', '--skip-preview'];
  await succeed(['stack', 'init']);

  const filters = { label: [`rehearsal.test=${label}`] };
  return {
    label,
    up: (settings?: Settings) => succeed(['up', ...apply], settings),
    /** An update that may fail. */
    tryUp: (settings?: Settings) => pulumi(['up', ...apply], settings),
    preview: (settings?: Settings) => succeed(['preview', '--diff'], settings),
    /** @throws Error when the preview has any change. */
    previewNoChanges: (settings?: Settings) =>
      succeed(['preview', '--diff', '--expect-no-changes'], settings),
    refresh: () => succeed(['refresh', ...apply]),
    destroy: () => succeed(['destroy', ...apply]),
    containers: () => docker.listContainers({ all: true, filters }),
    container: async () => {
      const [first] = await docker.listContainers({ all: true, filters });
      if (first === undefined) throw new Error('the stack has no container');
      return docker.getContainer(first.Id).inspect();
    },
    /** Names of all that the stack has on the engine. */
    leftovers: async () => [
      ...(await docker.listContainers({ all: true, filters })).flatMap(({ Names }) => Names),
      ...(await docker.listNetworks({ filters })).map(({ Name }) => Name),
      ...(await docker.listVolumes({ filters })).Volumes.map(({ Name }) => Name),
    ],
    /** The resources of the provider in the state, by type. */
    resources: async () => {
      const exported = exportSchema.parse(JSON.parse(await succeed(['stack', 'export'])));
      const own = exported.deployment.resources.filter(({ type }) => type.startsWith('docker:'));
      return Object.fromEntries(own.map(({ type, ...resource }) => [type.split(':').at(-1) ?? '', resource]));
    },
    /** The text of all files of the state. */
    stateText: async () => {
      const files = await readdir(state, { recursive: true, withFileTypes: true });
      const texts = files
        .filter((entry) => entry.isFile())
        .map((entry) => readFile(path.join(entry.parentPath, entry.name), 'utf8'));
      return (await Promise.all(texts)).join('\n');
    },
    close: async () => {
      await succeed(['destroy', ...apply]);
      await rm(folder, { recursive: true });
      await rm(state, { recursive: true });
    },
  };
}

export type ProviderStack = Awaited<ReturnType<typeof openStack>>;

import { execa } from 'execa';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { findOnPath } from './machine.js';
import { type Update } from './pieces.js';

const goFolder = path.join(path.dirname(fileURLToPath(import.meta.url)), 'go');

const pulumi = { name: 'Pulumi', remedy: 'the Pulumi CLI itself (https://www.pulumi.com/docs/install)' };
const compose = {
  name: 'Docker Compose',
  remedy: 'Docker Compose itself (https://docs.docker.com/compose/install)',
};
/** What is built, and what to install instead. */
const programs = { pulumi, 'language-host': pulumi, compose };

interface GoBuild {
  /** Folder under `engine/go` whose go.mod and go.sum pin every module. */
  module: keyof typeof programs;
  /** Import path of the command. */
  command: string;
  /** File to write. */
  output: string;
  ldflags: string;
  update: Update;
}

/**
 * Builds a Go command from the modules that its go.sum pins. Go's own caches make an interrupted build resume.
 * @throws Error that says which Go is needed, or with the end of the compiler's output.
 */
export async function goBuild({ module, command, output, ldflags, update }: GoBuild): Promise<void> {
  const cwd = path.join(goFolder, module);
  const obstacle = await goObstacle(module);
  if (obstacle !== undefined) throw new Error(obstacle);
  const env = { CGO_ENABLED: '0', GOFLAGS: '-mod=readonly' };

  let downloads = 0;
  const list = execa('go', ['list', '-deps', command], { cwd, env, stdin: 'ignore' });
  const counted = countLines(list.stderr, () => {
    downloads += 1;
    update(`${downloads} Go modules downloaded`);
  });
  const packages = (await list).stdout.split('\n').length;
  await counted;

  let compiled = 0;
  const build = execa(
    'go',
    ['build', '-v', '-trimpath', '-buildvcs=false', '-ldflags', `-s -w ${ldflags}`, '-o', output, command],
    {
      cwd,
      env,
      stdin: 'ignore',
    },
  );
  const shown = countLines(build.stderr, (line) => {
    if (line.startsWith('go: ')) return;
    compiled += 1;
    update(`${compiled} of at most ${packages} Go packages compiled`);
  });
  await build;
  await shown;
}

async function countLines(stream: NodeJS.ReadableStream, onLine: (line: string) => void): Promise<void> {
  for await (const line of createInterface({ input: stream })) onLine(line);
}

/** Why a module can't be built here, with the remedy. */
export async function goObstacle(module: GoBuild['module']): Promise<string | undefined> {
  const cwd = path.join(goFolder, module);
  const required = /^go (\S+)$/m.exec(await readFile(path.join(cwd, 'go.mod'), 'utf8'))?.[1];
  if (required === undefined) throw new Error(`${path.join(cwd, 'go.mod')} names no Go version`);
  const { name, remedy: instead } = programs[module];
  const remedy = `install Go ${required} or newer (https://go.dev/dl), or ${instead}`;
  if (findOnPath('go') === undefined) {
    return `${name} is neither installed nor can it be downloaded, and without Go it can't be built: ${remedy}`;
  }
  // Asked in the module's folder, Go 1.21 and newer fetch the toolchain that go.mod names, where they may.
  const { exitCode, stdout, stderr } = await execa('go', ['env', 'GOVERSION'], { cwd, reject: false });
  const found = /^go(\d+\.\d+(?:\.\d+)?)/.exec(stdout)?.[1];
  if (exitCode === 0 && found !== undefined && isAtLeast(found, required)) return undefined;
  return `${name} can't be built here (${exitCode === 0 ? `Go ${found ?? stdout} is too old` : stderr}): ${remedy}`;
}

/** Compares dotted versions number by number. */
function isAtLeast(version: string, required: string): boolean {
  const wanted = required.split('.').map(Number);
  const parts = version.split('.').map(Number);
  for (const [index, want] of wanted.entries()) {
    const have = parts[index] ?? 0;
    if (have !== want) return have > want;
  }
  return true;
}

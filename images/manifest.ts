import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { serviceNames, type ServiceName } from '../components/services.js';

const imagesFolder = path.dirname(fileURLToPath(import.meta.url));
const lockFile = path.join(imagesFolder, '..', 'package-lock.json');

export const imageNames = serviceNames;
export type ImageName = ServiceName;

/** What an image is built on where official images can't be had: Debian, or Debian with the host's Node. */
export type LocalBase = 'base' | 'node';

export interface ImageRecipe {
  /** `ARG BASE` of `Dockerfile`. */
  officialBase: string;
  /** `ARG BASE` of `Dockerfile.debian`. */
  localBase: LocalBase;
  /** The build context: files of the first folder at its top, the application's bundle under `dist/`. */
  folder: string;
  bundle?: string;
}

const recipe = (service: ImageName, officialBase: string): ImageRecipe => ({
  officialBase,
  localBase: 'base',
  folder: path.join(imagesFolder, service),
});
const nodeRecipe = (service: ImageName): ImageRecipe => ({
  ...recipe(service, 'node:22-alpine'),
  localBase: 'node',
  bundle: path.join(appFolder(), 'dist', `${service}.mjs`),
});

export function appFolder(): string {
  return path.join(imagesFolder, 'app');
}

export const imageRecipes: Readonly<Record<ImageName, ImageRecipe>> = {
  postgres: recipe('postgres', 'postgres:16-alpine'),
  redis: recipe('redis', 'redis:7-alpine'),
  clickhouse: recipe('clickhouse', 'clickhouse/clickhouse-server:24.8-alpine'),
  pgbouncer: recipe('pgbouncer', 'alpine:3.21'),
  llm: nodeRecipe('llm'),
  auth: nodeRecipe('auth'),
  backend: nodeRecipe('backend'),
  frontend: recipe('frontend', 'nginxinc/nginx-unprivileged:1.27-alpine'),
};

/**
 * `rehearsal/<service>:<hash of what the image is built from>`: the same on every machine for the same
 * checkout, so a stack made on one is unchanged on another.
 */
export function imageReference(service: ImageName): string {
  const { officialBase, folder, bundle } = imageRecipes[service];
  const inputs = [officialBase, ...contentsOf(folder), ...contentsOf(baseFolder())];
  // The bundle is made from the application's sources and the packages that the lock file names.
  if (bundle !== undefined) inputs.push(...contentsOf(appFolder()), readFileSync(lockFile, 'utf8'));
  return `rehearsal/${service}:${shortHash(inputs)}`;
}

/** `rehearsal/base:…`, or `rehearsal/node:…` for one version of Node. */
export function localBaseReference(base: LocalBase, nodeVersion: string = process.version): string {
  const inputs = contentsOf(baseFolder());
  if (base === 'node') inputs.push(nodeVersion);
  return `rehearsal/${base}:${shortHash(inputs)}`;
}

export function baseFolder(): string {
  return path.join(imagesFolder, 'base');
}

/** Files of an image's folder, relative to it, in a fixed order. */
export function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .filter(
      (file) =>
        !file.split(path.sep).some((part) => ['dist', 'node_modules'].includes(part) || part.startsWith('.')),
    )
    .sort();
}

function contentsOf(folder: string): string[] {
  return filesOf(folder).flatMap((file) => [file, readFileSync(path.join(folder, file), 'utf8')]);
}

function shortHash(parts: string[]): string {
  const hash = createHash('sha256');
  // The length keeps ['ab', 'c'] and ['a', 'bc'] apart.
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex').slice(0, 12);
}

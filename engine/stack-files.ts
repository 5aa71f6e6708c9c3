import { execa } from 'execa';
import { existsSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import { mergeMaps } from './merge.js';
import { replaceFile } from './replace-file.js';
import { readYamlMap, yamlMapSchema, type YamlMap } from './yaml-file.js';

const settingsFile = (stack: string): string => `Pulumi.${stack}.yaml`;

/** Whether git knows the stack's settings file, so that Pulumi must not write into it. */
async function isTracked(checkout: string, stack: string): Promise<boolean> {
  const { exitCode } = await execa('git', ['ls-files', '--error-unmatch', settingsFile(stack)], {
    cwd: checkout,
    reject: false,
  });
  return exitCode === 0;
}

/**
 * A project folder in which Pulumi may write this stack's settings: the checkout itself, or, for tracked
 * settings, a private one whose copy takes in every later edit of the tracked file.
 * @throws Error with file and line when a settings file or `Pulumi.yaml` isn't valid YAML.
 */
export async function projectFolder(
  checkout: string,
  stacksFolder: string,
  stack: string,
  note: (line: string) => void,
): Promise<string> {
  const project = await readYamlMap(path.join(checkout, 'Pulumi.yaml'));
  const settings = (file: string): Promise<YamlMap> =>
    existsSync(file) ? readYamlMap(file).then((map) => qualified(map, project.name)) : Promise.resolve({});
  const theirs = await settings(path.join(checkout, settingsFile(stack)));
  if (!(await isTracked(checkout, stack))) return checkout;

  const folder = path.join(stacksFolder, stack);
  await mkdir(folder, { recursive: true });
  await replaceFile(path.join(folder, 'Pulumi.yaml'), stringify({ ...project, main: `${checkout}/` }));
  const copy = path.join(folder, settingsFile(stack));
  const lastSeen = path.join(folder, 'tracked-before.yaml');
  // Pulumi may have been killed while it wrote the copy: an empty one says nothing, not even `{}`.
  const isThere = (statSync(copy, { throwIfNoEntry: false })?.size ?? 0) > 0;
  const { value, conflicts } = isThere
    ? mergeMaps(await settings(lastSeen), await settings(copy), theirs)
    : { value: theirs, conflicts: [] };
  for (const key of conflicts) {
    note(
      `${key}: edited in ${settingsFile(stack)} and set by "pulumi config set": the value that was set is used`,
    );
  }
  await replaceFile(copy, stringify(value), 0o600);
  await replaceFile(lastSeen, stringify(theirs), 0o600);
  return folder;
}

/** Pulumi completes keys without a namespace when it writes the file: `profile` becomes `rehearsal:profile`. */
function qualified(settings: YamlMap, project: unknown): YamlMap {
  const config = yamlMapSchema.safeParse(settings.config ?? {}).data;
  if (config === undefined) return settings;
  const entries = Object.entries(config).map(([key, value]) => [
    key.includes(':') ? key : `${String(project)}:${key}`,
    value,
  ]);
  return { ...settings, config: Object.fromEntries(entries) };
}

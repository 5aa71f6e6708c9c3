import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import * as z from 'zod';
import { container } from '../../../engine/provider/container.js';
import { network } from '../../../engine/provider/network.js';
import { remoteImage } from '../../../engine/provider/remote-image.js';
import type { ResourceType } from '../../../engine/provider/resource.js';
import type { Properties } from '../../../engine/provider/schema.js';
import { volume } from '../../../engine/provider/volume.js';

/** What the official provider does with each property, by path; the fixture names its sources. */
const official = z
  .object({
    resources: z.record(
      z.string(),
      z.object({ inputs: z.record(z.string(), z.string()), outputs: z.array(z.string()) }),
    ),
  })
  .parse(
    JSON.parse(
      readFileSync(new URL('../../fixtures/official-docker-provider.json', import.meta.url), 'utf8'),
    ),
  );

/** Our tables in the fixture's words. */
function inWords(properties: Properties, prefix = ''): [path: string, words: string][] {
  return Object.entries(properties).flatMap(([name, property]) => {
    const flags = (['required', 'replace', 'computed'] as const).filter((flag) => property[flag]);
    const preset = property.default === undefined ? [] : [`default=${JSON.stringify(property.default)}`];
    const inner = 'items' in property ? property.items : property;
    const nested = inner.type === 'object' ? inWords(inner.properties, `${prefix}${name}.`) : [];
    return [[`${prefix}${name}`, [property.type, ...flags, ...preset].join(' ')], ...nested];
  });
}

test.each<[string, ResourceType]>([
  ['docker:index/container:Container', container],
  ['docker:index/network:Network', network],
  ['docker:index/remoteImage:RemoteImage', remoteImage],
  ['docker:index/volume:Volume', volume],
])('%s behaves as the official provider says', (token, type) => {
  const facts = official.resources[token];
  expect(facts?.inputs).toMatchObject(Object.fromEntries(inWords(type.inputs)));
  const known = [...Object.keys(facts?.inputs ?? {}), ...(facts?.outputs ?? [])];
  expect(known).toEqual(expect.arrayContaining([...type.outputs]));
  expect(type.outputs).toEqual(expect.arrayContaining(facts?.outputs ?? []));
});

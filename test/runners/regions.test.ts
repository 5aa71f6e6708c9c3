import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { regionsOfSettings, type Regions } from '../../runners/regions.js';
import { temporaryFolder } from '../helpers/temporary.js';

/** @param settings text of each stack's settings file. */
function regionsOf(settings: Record<string, string>): Promise<Regions> {
  const checkout = temporaryFolder('settings');
  writeFileSync(path.join(checkout, 'Pulumi.yaml'), 'name: rehearsal\nruntime: nodejs\n');
  for (const [stack, text] of Object.entries(settings)) {
    writeFileSync(path.join(checkout, `Pulumi.${stack}.yaml`), text);
  }
  return regionsOfSettings(checkout);
}
const aws = (region: string): string =>
  `config:\n  rehearsal:host:\n    kind: aws\n    region: ${region}\n  rehearsal:profile: gone\n`;

test('regions are those of the stacks that have hosts made, each once, whatever else is wrong with them', async () => {
  const settings = {
    local: 'config:\n  rehearsal:profile: small\n',
    ireland: aws('eu-west-1'),
    'ireland-too': aws('eu-west-1'),
    ohio: aws('us-east-2'),
  };
  expect(await regionsOf(settings)).toEqual({ regions: ['eu-west-1', 'us-east-2'], problems: [] });
});

test('settings that can’t be read are named and hide no others', async () => {
  const { regions, problems } = await regionsOf({
    broken: 'config: [',
    nowhere: aws('europe'),
    ohio: aws('us-east-2'),
  });
  expect(regions).toEqual(['us-east-2']);
  expect(problems).toEqual([
    expect.stringMatching(/^what Pulumi\.broken\.yaml may have made: .*not valid YAML/),
    expect.stringMatching(/^what Pulumi\.nowhere\.yaml may have made: [^]*host\.region is "europe"/),
  ]);
});

import { describe, expect, test } from '@jest/globals';
import { imageNames, imageReference, localBaseReference } from '../../images/manifest.js';

describe('image references', () => {
  test('name the service and what the image is built from', () => {
    for (const name of imageNames)
      expect(imageReference(name)).toMatch(new RegExp(`^rehearsal/${name}:[0-9a-f]{12}$`));
    expect(new Set(imageNames.map(imageReference)).size).toBe(imageNames.length);
  });

  test('of the base with Node differ by the version of Node', () => {
    expect(localBaseReference('node', 'v20.1.0')).not.toBe(localBaseReference('node', 'v20.2.0'));
    expect(localBaseReference('base', 'v20.1.0')).toBe(localBaseReference('base', 'v20.2.0'));
  });
});

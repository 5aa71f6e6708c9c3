import fc from 'fast-check';
import { describe, expect, test } from '@jest/globals';
import {
  chooseInstanceType,
  instanceTypes,
  usableMb,
  type InstanceNeeds,
} from '../../../components/hosts/instance-types.js';

const chosenFor = (needs: InstanceNeeds) => {
  const choice = chooseInstanceType(needs);
  if ('problems' in choice) throw new Error(choice.problems.join('\n'));
  return choice.chosen;
};
const architectures = ['x86_64', 'arm64'] as const;
const largestMb = (architecture: (typeof architectures)[number]): number =>
  Math.max(...instanceTypes.filter((type) => type.architecture === architecture).map(usableMb));

describe('the table of instance types', () => {
  test('has each type once, with figures that make sense', () => {
    expect(new Set(instanceTypes.map(({ name }) => name)).size).toBe(instanceTypes.length);
    for (const type of instanceTypes) {
      expect(type.name).toMatch(type.architecture === 'arm64' ? /^[cmr]7g\./ : /^[cmr]7i\./);
      // Per vCPU, in GiB: what the letter promises.
      const ratio = { c: 2, m: 4, r: 8 }[type.name.charAt(0)];
      expect(type.memoryMb / 1024 / type.vcpus).toBe(ratio);
      expect(type.usdPerHour).toBeGreaterThan(0);
    }
  });

  test('is nobody’s to change', () => {
    expect(Object.isFrozen(instanceTypes)).toBe(true);
    expect(instanceTypes.every(Object.isFrozen)).toBe(true);
  });
});

describe('chooseInstanceType', () => {
  test('is never smaller than needed, and never larger than the next smaller that would have held', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...architectures),
        // Small budgets are as likely as large ones: the steps between types are a factor of two.
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.constantFrom(1, 2, 4, 8, 16),
        (architecture, fraction, vcpus) => {
          const memoryMb = Math.max(1, Math.floor(largestMb(architecture) ** fraction));
          const chosen = chosenFor({ memoryMb, vcpus, architecture });
          expect(chosen.architecture).toBe(architecture);
          expect(usableMb(chosen)).toBeGreaterThanOrEqual(memoryMb);
          expect(chosen.vcpus).toBeGreaterThanOrEqual(vcpus);
          for (const other of instanceTypes) {
            if (other.architecture !== architecture) continue;
            const isSmaller =
              other.memoryMb < chosen.memoryMb ||
              (other.memoryMb === chosen.memoryMb && other.usdPerHour < chosen.usdPerHour);
            if (isSmaller) expect(usableMb(other) < memoryMb || other.vcpus < vcpus).toBe(true);
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  test('takes the last MiB of a type, and the next one after it', () => {
    const needs = { vcpus: 2, architecture: 'x86_64' } as const;
    expect(chosenFor({ ...needs, memoryMb: 3788 }).name).toBe('c7i.large');
    expect(chosenFor({ ...needs, memoryMb: 3789 }).name).toBe('m7i.large');
  });

  test.each(architectures)('refuses more than the largest %s type has, with both numbers', (architecture) => {
    const mostMb = largestMb(architecture);
    expect(usableMb(chosenFor({ memoryMb: mostMb, vcpus: 1, architecture }))).toBe(mostMb);
    const refused = chooseInstanceType({ memoryMb: mostMb + 1, vcpus: 1, architecture });
    expect(refused).toEqual({ problems: [expect.stringContaining(`${mostMb + 1} MiB are needed`)] });
    expect(refused).toEqual({ problems: [expect.stringContaining(`has ${mostMb} MiB`)] });
  });

  test('chooses among the types that are named only', () => {
    const types = ['r7i.2xlarge', 'm7i.4xlarge'];
    expect(chosenFor({ memoryMb: 1000, vcpus: 2, architecture: 'x86_64', types }).name).toBe('r7i.2xlarge');
    expect(chosenFor({ memoryMb: 1000, vcpus: 16, architecture: 'x86_64', types }).name).toBe('m7i.4xlarge');
  });

  test('says when the named types have the memory, but not the vCPUs beside it', () => {
    const types = ['r7i.large'];
    expect(chooseInstanceType({ memoryMb: 1000, vcpus: 4, architecture: 'x86_64', types })).toEqual({
      problems: ['1000 MiB and 4 vCPUs are needed: none of r7i.large has both'],
    });
  });

  test('names unknown types and those of another architecture, all at once', () => {
    const types = ['t3.large', 'm7i.large', 'm7g.large'];
    const refused = chooseInstanceType({ memoryMb: 1000, vcpus: 2, architecture: 'arm64', types });
    expect(refused).toEqual({
      problems: [
        expect.stringMatching(/t3\.large, which the table doesn't know: allowed are c7g\.large, /),
        expect.stringContaining('m7i.large, which is x86_64'),
      ],
    });
  });
});

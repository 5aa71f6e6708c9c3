import { describe, expect, test } from '@jest/globals';
import { diagnose } from '../../runners/diagnosis/diagnose.js';
import { runRecordSchema, type RunRecord, type SuiteRecord } from '../../runners/report/record.js';
import { judgeRun } from '../../runners/verdict.js';
import { runRecord, suiteRecord } from './support/records.js';

describe('a record that was go', () => {
  const record = runRecord([suiteRecord(), suiteRecord({ name: 'other' })]);

  /** The verdict on what a reader of the file finds; a record that breaks its schema has none. */
  const reread = (changed: unknown): string => {
    const parsed = runRecordSchema.safeParse(JSON.parse(JSON.stringify(changed)));
    return parsed.success ? judgeRun(parsed.data).decision : 'refused';
  };

  /** Each place of a value as the keys that lead to it. */
  const placesIn = (value: unknown): string[][] =>
    typeof value !== 'object' || value === null
      ? []
      : Object.entries(value).flatMap(([key, part]) => [
          [key],
          ...placesIn(part).map((rest) => [key, ...rest]),
        ]);

  /** What the verdict rests on: the suites, and what they are held against. */
  const restsOn = ['suites', 'chosen', 'users', 'environment'];
  const places = placesIn(record).filter(([first = '']) => restsOn.includes(first));
  /** Figures that are shown and not judged. */
  const shown = [
    ...['memoryWaitMs', 'createMs', 'upMs', 'turnWaitMs', 'destroyMs', 'baselineMb', 'kernelPeakMb'],
    // Of an engine on another machine the kernel can't be asked; the engine's events and states tell without it.
    ...['oomKills', 'countedAt', 'host'],
  ];

  function edited(place: readonly string[], edit: (parent: never, key: string) => void): RunRecord {
    const copy = structuredClone(record);
    const parent = place.slice(0, -1).reduce((part: object, key) => part[key as never], copy);
    edit(parent as never, place.at(-1) ?? '');
    return copy;
  }
  const without = (place: readonly string[]): RunRecord =>
    edited(place, (parent: object, key) => {
      if (Array.isArray(parent)) parent.splice(Number(key), 1);
      else Reflect.deleteProperty(parent, key);
    });

  const valueAt = (place: readonly string[]): unknown =>
    place.reduce((part: unknown, key) => (part as Record<string, unknown>)[key], record);

  test('is go again when it is read from disk', () => {
    expect(reread(record)).toBe('go');
    expect(judgeRun(runRecordSchema.parse(JSON.parse(JSON.stringify(record))))).toEqual(record.verdict);
  });

  test('is judged by its figures, whatever verdict somebody wrote into it', () => {
    const bad = runRecord([suiteRecord({ crashes: { measured: false, reason: 'it was lost' } })]);
    expect(reread({ ...bad, verdict: record.verdict })).toBe('no-go');
  });

  test('is no longer go when any one datum is taken away', () => {
    expect(places.length).toBeGreaterThan(100);
    const stillGo = places.filter((place) => reread(without(place)) === 'go');
    expect(stillGo.filter((place) => !shown.includes(place.at(-1) ?? '')).map(String)).toEqual([]);
  });

  test('is no longer go when any one figure is no number, also one that is only shown', () => {
    const figures = placesIn(record).filter((place) => typeof valueAt(place) === 'number');
    const names = figures.map((place) => place.at(-1));
    expect(names).toEqual(expect.arrayContaining(['jobs', 'mostAtOnce', 'peakRssMb', 'oomKills']));
    for (const figure of [NaN, Infinity, -Infinity, '1', null]) {
      const stillGo = figures.filter((place) => {
        const changed = edited(place, (parent: Record<string, unknown>, key) => {
          parent[key] = figure;
        });
        return reread(changed) === 'go';
      });
      expect(stillGo.map(String)).toEqual([]);
    }
  });

  test.each([
    ['jobs', 0],
    ['jobs', 1.5],
    ['mostAtOnce', -1],
    ['runner', { peakRssMb: -1 }],
    ['runner', undefined],
    ['diagnosis', undefined],
    ['recommended', undefined],
  ])('is refused with %s of %j', (key, value) => {
    expect(reread({ ...record, [key]: value })).toBe('refused');
  });
});

describe('kills that the kernel counted', () => {
  const memory = suiteRecord().memory;
  if (!memory.measured) throw new Error(memory.reason);
  const { redis = { limitMb: 96, peakMb: 40 } } = memory.value.services;
  const killed = (crashes: SuiteRecord['crashes']): SuiteRecord => {
    const services = { ...memory.value.services, redis: { ...redis, oomKills: 2 } };
    return suiteRecord({ crashes, memory: { measured: true, value: { ...memory.value, services } } });
  };
  const crashMetric = (crashes: SuiteRecord['crashes']): unknown =>
    runRecord([killed(crashes)]).verdict.metrics.find(({ name }) => name === 'no crash, no OOM kill');

  test('fail the run although nothing else tells of them', () => {
    expect(crashMetric({ measured: true, value: [] })).toMatchObject({
      figure: '1',
      result: 'failed',
      reason: 'chat: redis oom (the kernel counts 2 OOM kills in it)',
    });
  });

  test('fail it also when the events of the engine broke off', () => {
    expect(crashMetric({ measured: false, reason: "the engine's events broke off" })).toMatchObject({
      figure: '1',
      result: 'failed',
      reason: "chat: redis oom (the kernel counts 2 OOM kills in it); chat: the engine's events broke off",
    });
  });

  test('are what the diagnosis begins with', () => {
    const record = runRecord([killed({ measured: true, value: [] })]);
    const { diagnosis } = diagnose(record, {});
    expect(JSON.stringify(diagnosis)).toContain('the kernel counts 2 OOM kills in it');
  });

  test.each(['oom', 'host oom'] as const)('are not told twice beside the crash "%s"', (kind) => {
    const crash = { service: 'redis', kind, evidence: 'so it is' };
    expect(crashMetric({ measured: true, value: [crash] })).toMatchObject({ figure: '1', result: 'failed' });
  });
});

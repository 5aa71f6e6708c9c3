import { messageOf } from '../runners/errors.js';
import { figureRows } from './figure-table.js';
import { ownWay } from './ours.js';
import type { BenchPart } from './part.js';
import type { Figure } from './statistics.js';

const profile = 'standard';

export const nochange: BenchPart = {
  name: 'nochange',
  rounds: 5,
  describe: 'time of an `up` that changes nothing',
  run: async (site, rounds) => {
    const values: number[] = [];
    const problems: string[] = [];
    await site.withTenant('nochange', profile, async (tenant) => {
      const place = await ownWay(site).prepare(tenant);
      const step = site.progress.step('an environment that stays as it is');
      try {
        await place.up(site.signal);
        const containers = JSON.stringify(place.outputs().services);
        for (let round = 1; round <= rounds && !site.signal.aborted; round += 1) {
          step.update(`round ${String(round)} of ${String(rounds)}`);
          const startedMs = performance.now();
          const { services } = await place.again(site.signal);
          values.push((performance.now() - startedMs) / 1000);
          if (JSON.stringify(services) !== containers) problems.push('an `up` replaced containers');
        }
        step.done();
      } catch (error) {
        step.fail(messageOf(error));
        if (!site.signal.aborted) problems.push(messageOf(error));
      } finally {
        await place.down();
      }
    });
    const figures: Figure[] = [{ name: 'ours: up without a change', unit: 's', values }];
    return { figures, tables: [{ title: 'No change', rows: figureRows(figures, []) }], problems };
  },
};

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, expect, test } from '@jest/globals';
import { labelKeys } from '../../components/labels.js';
import { newTimeline } from '../../runners/timeline.js';
import { temporaryFolder } from '../helpers/temporary.js';

let folder: string;
beforeEach(() => {
  folder = temporaryFolder('timeline');
});

test('a timeline has phases, marks, and when each container was made, started and ready', async () => {
  await mkdir(path.join(folder, 'logs'));
  const inspected = {
    Created: '2026-01-01T00:00:01.000Z',
    Config: { Labels: { [labelKeys.service]: 'redis' } },
    State: { StartedAt: '2026-01-01T00:00:01.500Z' },
  };
  await writeFile(path.join(folder, 'logs', 'redis.json'), JSON.stringify(inspected));
  const startMs = Date.parse('2026-01-01T00:00:00.000Z');
  const timeline = newTimeline();
  timeline.span('chat', 'environment up', startMs, startMs + 3_000);
  timeline.mark('chat', { name: 'redis ready', atMs: startMs + 1_700 });
  await timeline.addContainers('chat', folder);
  const file = path.join(folder, 'timeline.json');
  await timeline.save(file);
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
    displayTimeUnit: 'ms',
    traceEvents: [
      { name: 'environment up', pid: 1, tid: 'chat', ph: 'X', ts: startMs * 1000, dur: 3_000_000 },
      {
        name: 'made, starting',
        pid: 1,
        tid: 'chat redis',
        ph: 'X',
        ts: (startMs + 1_000) * 1000,
        dur: 500_000,
      },
      {
        name: 'started, getting ready',
        ...{ pid: 1, tid: 'chat redis', ph: 'X', ts: (startMs + 1_500) * 1000, dur: 200_000 },
      },
      { name: 'redis ready', pid: 1, tid: 'chat', ph: 'i', s: 't', ts: (startMs + 1_700) * 1000 },
    ],
  });
});

test("a container whose inspection can't be read is left out", async () => {
  await mkdir(path.join(folder, 'logs'));
  await writeFile(path.join(folder, 'logs', 'redis.json'), '{"Created":');
  const timeline = newTimeline();
  await timeline.addContainers('chat', folder);
  await timeline.save(path.join(folder, 'timeline.json'));
  expect(JSON.parse(await readFile(path.join(folder, 'timeline.json'), 'utf8'))).toMatchObject({
    traceEvents: [],
  });
});

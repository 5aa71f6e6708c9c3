import cluster from 'node:cluster';
import { readSettings } from './settings.js';

const settings = readSettings();
// Each loads what it needs itself: the workers start only when the primary has.
if (cluster.isPrimary) {
  const { startPrimary } = await import('./primary.js');
  await startPrimary(settings);
} else {
  const { startWorker } = await import('./worker.js');
  await startWorker(settings, Number(process.env.WORKER_NUMBER));
}

import cluster from 'node:cluster';
import { startPrimary } from './primary.js';
import { readSettings } from './settings.js';
import { startWorker } from './worker.js';

const settings = readSettings();
if (cluster.isPrimary) await startPrimary(settings);
else await startWorker(settings, Number(process.env.WORKER_NUMBER));

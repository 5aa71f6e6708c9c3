/**
 * A suite that harms its own environment: `node --import tsx test/chaos/harmful-suite.ts HARM SERVICE`. It passes when
 * the environment survives that, and otherwise waits for the runner to end it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { labelKeys } from '../../components/labels.js';
import { endpointsSchema } from '../../components/outputs.js';
import { connectDocker, resolveDockerHost } from '../../engine/docker.js';
import { harms, type HarmName } from './support/harms.js';

const [harm, service] = process.argv.slice(2) as [HarmName, string];
const { ends, inflict } = harms[harm];
const {
  REHEARSAL_ENVIRONMENT = '',
  REHEARSAL_RESULTS = '',
  REHEARSAL_SUITE = '',
  REHEARSAL_RUN = '',
  REHEARSAL_USERS,
} = process.env;

const endpoints = endpointsSchema.parse(JSON.parse(readFileSync(REHEARSAL_ENVIRONMENT, 'utf8')));
const docker = connectDocker(resolveDockerHost());
const labels = { run: REHEARSAL_RUN, suite: REHEARSAL_SUITE, service };
const label = Object.entries(labels).map(
  ([key, value]) => `${labelKeys[key as keyof typeof labels]}=${value}`,
);
const found = await docker.listContainers({ filters: { label } });
const [container] = found;
if (container === undefined || found.length > 1) {
  throw new Error(`${String(found.length)} containers have the labels ${label.join(', ')}`);
}
await inflict({ endpoints, container: docker.getContainer(container.Id) });
if (ends) setInterval(() => undefined, 1_000);

const tests = [{ name: `survives: ${harms[harm].title}`, status: 'passed', durationMs: 1 }];
const report = { suite: REHEARSAL_SUITE, users: Number(REHEARSAL_USERS), tests };
writeFileSync(path.join(REHEARSAL_RESULTS, 'tests.json'), JSON.stringify(report));

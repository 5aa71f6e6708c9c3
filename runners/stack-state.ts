import { z } from 'zod';
import { labelKeys } from '../components/labels.js';
import { parseJson } from './json.js';
import { StackError } from './pulumi.js';

/** Whose a stack is: what all of its labelled resources have in common. */
export interface StackLabels {
  run: string;
  suite: string;
}

const stateSchema = z.object({ deployment: z.object({ resources: z.array(z.unknown()).optional() }) });

/** Other resources have labels of another shape, or none. */
const labelledSchema = z.object({
  inputs: z.object({ labels: z.array(z.object({ label: z.string(), value: z.string() })) }),
});

/**
 * @param exported what `pulumi stack export` prints.
 * @throws StackError when that is no state.
 */
export function labelsInState(exported: string): StackLabels | undefined {
  const state = stateSchema.safeParse(parseJson(exported));
  if (!state.success) {
    const reason = z.prettifyError(state.error).replaceAll('\n', ' ');
    throw new StackError(`what Pulumi exported isn't the state of a stack: ${reason}`);
  }
  for (const resource of state.data.deployment.resources ?? []) {
    const { success, data } = labelledSchema.safeParse(resource);
    if (!success) continue;
    const labels = new Map(data.inputs.labels.map(({ label, value }) => [label, value]));
    const run = labels.get(labelKeys.run);
    const suite = labels.get(labelKeys.suite);
    if (run !== undefined && suite !== undefined) return { run, suite };
  }
  return undefined;
}

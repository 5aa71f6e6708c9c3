import { z } from 'zod';
import { labelKeys } from '../components/labels.js';

/** Whose a stack is: what all of its labelled resources have in common. */
export interface StackLabels {
  run: string;
  suite: string;
}

const stateSchema = z.object({
  deployment: z.object({
    resources: z
      .array(
        z.object({
          inputs: z
            .object({ labels: z.array(z.object({ label: z.string(), value: z.string() })).optional() })
            .optional(),
        }),
      )
      .optional(),
  }),
});

/** @param exported what `pulumi stack export` prints. */
export function labelsInState(exported: string): StackLabels | undefined {
  const { deployment } = stateSchema.parse(JSON.parse(exported));
  for (const { inputs } of deployment.resources ?? []) {
    const labels = new Map((inputs?.labels ?? []).map(({ label, value }) => [label, value]));
    const run = labels.get(labelKeys.run);
    const suite = labels.get(labelKeys.suite);
    if (run !== undefined && suite !== undefined) return { run, suite };
  }
  return undefined;
}

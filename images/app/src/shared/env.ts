import * as z from 'zod';

export const port = z.coerce.number().int().min(1).max(65535);
export const positiveInt = z.coerce.number().int().positive();
export const secret = z.string().min(1);

/**
 * Reads a service's settings from the environment, or ends the process with one line that names every
 * variable that is missing or wrong. Values are not printed: some are secret.
 */
export function readEnv<T extends z.ZodType>(schema: T, env: NodeJS.ProcessEnv = process.env): z.infer<T> {
  const result = schema.safeParse(env);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  process.stderr.write(`${JSON.stringify({ level: 'fatal', msg: 'bad environment', problems })}\n`);
  process.exit(78);
}

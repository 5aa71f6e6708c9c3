import type * as z from 'zod';
import { deadlines } from './deadlines.js';
import { reasonOfFetch } from './failed-fetch.js';

export interface Answer {
  /** `POST http://…`, for messages. */
  request: string;
  status: number;
  /** Parsed JSON, the text where it isn't JSON, undefined where the answer has no body. */
  body: unknown;
}

export interface RequestOptions {
  token?: string;
  /** Sent as JSON. */
  body?: unknown;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** One request; every status is an answer. @throws Error that names the request when no answer came in time. */
export async function send(
  method: 'GET' | 'POST',
  url: string,
  options: RequestOptions = {},
): Promise<Answer> {
  const request = `${method} ${url}`;
  const { token, body } = options;
  const headers: Record<string, string> = {};
  if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  try {
    const response = await fetch(url, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(deadlines.replyMs),
    });
    const text = await response.text();
    return { request, status: response.status, body: text === '' ? undefined : parseJson(text) };
  } catch (cause) {
    throw new Error(`${request}: no answer: ${reasonOfFetch(cause)}`, { cause });
  }
}

/** Names an answer without the body of a success, which may hold a token. */
export function describe(answer: Answer): string {
  const body = answer.status < 400 ? '' : ` ${JSON.stringify(answer.body)}`;
  return `${answer.request}: ${String(answer.status)}${body}`;
}

/** The answer's body, when it has the expected status and shape. */
export function expectBody<T extends z.ZodType>(answer: Answer, status: number, schema: T): z.infer<T> {
  if (answer.status !== status) throw new Error(`expected ${String(status)}, got ${describe(answer)}`);
  const parsed = schema.safeParse(answer.body);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new Error(
    `${answer.request}: the answer isn't what docs/application.md says: ${problems.join('; ')}`,
    {
      cause: parsed.error,
    },
  );
}

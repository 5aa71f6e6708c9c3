import { type Readable } from 'node:stream';

/** The `data` of each server-sent event of a response's body, in order. */
export async function* serverSentEvents(body: Readable): AsyncGenerator<string> {
  body.setEncoding('utf8');
  let rest = '';
  let data: string[] = [];
  for await (const text of body as AsyncIterable<string>) {
    const lines = (rest + text).split(/\r?\n/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5));
      if (line !== '' || data.length === 0) continue;
      yield data.join('\n');
      data = [];
    }
  }
}

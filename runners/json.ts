/** The parsed text; undefined, which no JSON is, for what isn't JSON: a line cut short, say. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

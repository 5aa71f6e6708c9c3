/** What an answer of one of AWS's older APIs is made of: lists have their entries in `item` elements. */
export type Xml = string | readonly Xml[] | { readonly [element: string]: Xml };

/** A document; its one element has the namespace. */
export function xmlOf(document: Xml, namespace: string): string {
  const body = elements(document);
  return `<?xml version="1.0" encoding="UTF-8"?>\n${body.replace(/^<(\w+)/, `<$1 xmlns="${namespace}"`)}`;
}

function elements(value: Xml): string {
  if (typeof value === 'string') return escape(value);
  if (isList(value)) return value.map((entry) => `<item>${elements(entry)}</item>`).join('');
  return Object.entries(value)
    .map(([name, inner]) => `<${name}>${elements(inner)}</${name}>`)
    .join('');
}

const isList = (value: Xml): value is readonly Xml[] => Array.isArray(value);

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

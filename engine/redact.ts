const secretName = /PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|KEY|CREDENTIAL/i;
const passwordInUrl = /\/\/[^/:@\s]*:([^@/\s]+)@/;
/** Anything shorter is a setting, not a secret; replacing it would mangle every text. */
const shortestSecret = 8;

/**
 * The secrets that a container holds in its environment variables, as the variables' names and addresses tell.
 * @param variables `NAME=value`
 * @param secretNames variables that are secret whatever they are called.
 */
export function secretsOfVariables(
  variables: readonly string[],
  secretNames: readonly string[] = [],
): string[] {
  return variables.flatMap((variable) => {
    const equals = variable.indexOf('=');
    const [name, value] = [variable.slice(0, equals), variable.slice(equals + 1)];
    const inUrl = passwordInUrl.exec(value)?.[1];
    return [
      ...(secretName.test(name) || secretNames.includes(name) ? [value] : []),
      ...(inUrl === undefined ? [] : [inUrl, fromUrl(inUrl)]),
    ];
  });
}

/** The text without the secrets, as they are and as JSON, addresses, XML and base64 have them. */
export function redact(text: string, secrets: readonly string[]): string {
  return redactForms(text, formsOf(secrets));
}

export function redactForms(text: string, forms: readonly string[]): string {
  return forms.reduce((redacted, form) => redacted.replaceAll(form, '[redacted]'), text);
}

/** What to look for, the longest first: a short one may be part of it. */
export function formsOf(secrets: readonly string[]): string[] {
  const forms = new Set(secrets.flatMap((secret) => [secret, ...linesOf(secret)]).flatMap(encodingsOf));
  return [...forms].sort((a, b) => b.length - a.length);
}

/** A log puts a time before each line of a key. */
const linesOf = (secret: string): string[] => secret.split('\n').map((line) => line.trim());

function encodingsOf(secret: string): string[] {
  if (secret.length < shortestSecret) return [];
  const json = jsonText(secret);
  return [
    secret,
    json,
    // A message in JSON, quoted in another.
    jsonText(json),
    goJsonText(json),
    encodeURIComponent(secret),
    encodeURI(secret),
    new URLSearchParams({ '': secret }).toString().slice(1),
    xmlText(secret),
    ...base64Of(secret),
  ];
}

const jsonText = (text: string): string => JSON.stringify(text).slice(1, -1);

/** Go escapes what HTML would misread. */
const goJsonText = (json: string): string =>
  json.replace(/[<>&]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);

const xmlEntities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};
const xmlText = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => xmlEntities[character] ?? '');

/**
 * What is the same in the base64 of every text that has the secret in it: 3 bytes become 4 characters, so it depends
 * on the place modulo 3, and the characters at both ends hold bits of the neighbours too.
 */
function base64Of(secret: string): string[] {
  return [0, 1, 2].flatMap((before) => {
    const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(secret)]);
    const first = Math.ceil((before * 4) / 3);
    const whole = Math.floor((bytes.length * 4) / 3);
    return [bytes.toString('base64'), bytes.toString('base64url')].map((text) => text.slice(first, whole));
  });
}

function fromUrl(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

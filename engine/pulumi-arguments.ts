/** The stack of commands that name none. */
const defaultStack = 'dev';

/** Commands that work on a stack; the first group makes it when it is missing. */
const creating = new Set(['up', 'update', 'preview', 'pre', 'refresh', 'destroy', 'down', 'config']);
const needing = new Set([...creating, 'stack', 'cancel', 'console', 'import', 'logs', 'state', 'watch']);
/** Commands that start, or may start, containers. */
const running = new Set(['up', 'update', 'preview', 'pre', 'watch']);
/** Subcommands of `pulumi stack` that name the stack by position, or need none. */
const positional = new Set(['init', 'rm', 'select', 'rename', 'unselect', 'ls']);

export interface PulumiCall {
  /** The arguments, with the stack that the user left out. */
  args: string[];
  /** The stack whose settings the command may read or write. */
  stack: string | undefined;
  /** Whether a missing stack is made first. */
  creates: boolean;
  /** Whether the service images have to be there. */
  images: boolean;
}

/** What a command line of the Pulumi CLI is about. One that chooses its own folder is left as it is. */
export function readArguments(args: string[]): PulumiCall {
  const end = args.indexOf('--');
  const own = end === -1 ? args : args.slice(0, end);
  const untouched: PulumiCall = { args, stack: undefined, creates: false, images: false };
  if (own.some((arg) => arg === '--help' || arg === '-h' || /^(--cwd|-C|--config-file)(=|$)/.test(arg)))
    return untouched;

  const [command, subcommand, ...more] = own.filter((arg) => !arg.startsWith('-'));
  if (command === undefined || !needing.has(command)) return untouched;
  const needs = { creates: creating.has(command), images: running.has(command) };
  const given = optionValue(own, ['--stack', '-s']);
  if (given !== undefined) return { args, stack: baseName(given), ...needs };
  if (command === 'stack' && subcommand !== undefined && positional.has(subcommand)) {
    return { args, stack: more[0] === undefined ? undefined : baseName(more[0]), ...needs };
  }
  if (command === 'cancel' && subcommand !== undefined)
    return { args, stack: baseName(subcommand), ...needs };
  const rest = end === -1 ? [] : args.slice(end);
  return { args: [...own, `--stack=${defaultStack}`, ...rest], stack: defaultStack, ...needs };
}

function optionValue(args: string[], names: string[]): string | undefined {
  for (const [index, arg] of args.entries()) {
    if (names.includes(arg)) return args[index + 1];
    const [name, value] = arg.split(/=(.*)/s, 2);
    if (name !== undefined && value !== undefined && names.includes(name)) return value;
  }
  return undefined;
}

/** `organization/project/stack` keeps its settings under the last part. */
const baseName = (stack: string): string => stack.slice(stack.lastIndexOf('/') + 1);

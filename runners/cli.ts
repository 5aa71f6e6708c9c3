import { Command, InvalidArgumentError, Option } from 'commander';
import { profileNames } from '../components/services.js';
import { terminalProgress } from '../engine/progress.js';
import { checkout } from '../engine/state.js';
import { messageOf } from './errors.js';
import { exitCodeOf, exitCodes } from './exit-codes.js';
import { rehearse } from './rehearsal.js';
import { terminalReport } from './report/terminal.js';
import { testAgainst } from './test-against.js';

const mostUsers = 1000;
const defaultUsers = 10;

const collect = (value: string, earlier: string[]): string[] => [...earlier, value];

function parseUsers(value: string): number {
  const users = Number(value);
  if (Number.isInteger(users) && users >= 1 && users <= mostUsers) return users;
  throw new InvalidArgumentError(`allowed is a whole number from 1 to ${String(mostUsers)}`);
}

interface SuiteOptions {
  suite: string[];
  category: string[];
  users: number;
}

function withSuiteOptions(command: Command): Command {
  return command
    .option('--suite <name>', 'run this suite; may be given several times', collect, [])
    .option('--category <name>', 'run the suites of this category; may be given several times', collect, [])
    .option('--users <count>', 'concurrent users of each suite', parseUsers, defaultUsers);
}

const program = new Command('rehearsal').description(
  'Runs test suites, each in a staging-like environment of its own, and says go or no-go.',
);

withSuiteOptions(program.command('run'))
  .description('bring up, test and destroy an environment per suite, then give the verdict (npm start)')
  .addOption(new Option('--profile <name>', "instead of the settings' profile").choices(profileNames))
  .option('--stack <name>', 'take the settings of Pulumi.<name>.yaml')
  .option('--keep-on-failure', 'leave the environment of a suite that did not pass for a look', false)
  .addHelpText('after', exitCodeHelp())
  .action(async (options: SuiteOptions & { profile?: string; stack?: string; keepOnFailure: boolean }) => {
    const { suite, category, ...choices } = options;
    const wanted = { ...choices, suites: suite, categories: category };
    const { record, folder, abandoned } = await rehearse(wanted, checkout, terminalProgress());
    process.stdout.write(`${terminalReport(record, folder)}\n`);
    process.exitCode = exitCodeOf(record);
    // The destroy that nobody waits for goes on without us.
    if (abandoned) process.exit();
  });

withSuiteOptions(program.command('test'))
  .description('run suites against an environment that is up and stays up')
  .requiredOption('--stack <name>', 'the environment: a stack made by npm run pulumi -- up')
  .action(async (options: SuiteOptions & { stack: string }) => {
    const { suite, category, ...choices } = options;
    const wanted = { ...choices, suites: suite, categories: category };
    process.exitCode = await testAgainst(wanted, checkout, terminalProgress());
  });

function exitCodeHelp(): string {
  const { go, error, interrupted, noGo, harnessError, leak, partial } = exitCodes;
  return [
    '',
    'Exit codes:',
    `  ${String(go)}   go`,
    `  ${String(error)}   wrong use or settings, or a host that can't do it: nothing was started`,
    `  ${String(interrupted)}   interrupted`,
    `  ${String(noGo)}  no-go`,
    `  ${String(harnessError)}  no-go, and a suite got no fair try: the environment or the harness failed`,
    `  ${String(leak)}  no-go, and something is left on the host`,
    `  ${String(partial)}  what was chosen holds, but not every suite was chosen`,
  ].join('\n');
}

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = exitCodes.error;
}

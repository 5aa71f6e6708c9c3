import { Command, InvalidArgumentError, Option } from 'commander';
import ms from 'ms';
import { regionSchema } from '../components/hosts/settings.js';
import { profileNames } from '../components/services.js';
import { terminalProgress } from '../engine/progress.js';
import { checkout } from '../engine/state.js';
import { diagnosisOf, type DiagnoseChoices } from './diagnosis/command.js';
import { messageOf } from './errors.js';
import { exitCodeOf, exitCodes } from './exit-codes.js';
import { collectGarbage } from './gc.js';
import { makePlan, type Jobs } from './plan.js';
import { planReport } from './plan-report.js';
import { rehearse } from './rehearsal.js';
import { terminalReport } from './report/terminal.js';
import { bringUp, type UpChoices } from './standing.js';
import { takeDown } from './take-down.js';
import { testAgainst } from './test-against.js';

const mostUsers = 1000;
const defaultUsers = 10;

const collect = (value: string, earlier: string[]): string[] => [...earlier, value];

function collectRegion(value: string, earlier: string[]): string[] {
  if (regionSchema.safeParse(value).success) return [...earlier, value];
  throw new InvalidArgumentError('allowed is an AWS region, such as eu-central-1');
}

function parseUsers(value: string): number {
  const users = Number(value);
  if (Number.isInteger(users) && users >= 1 && users <= mostUsers) return users;
  throw new InvalidArgumentError(`allowed is a whole number from 1 to ${String(mostUsers)}`);
}

/** What Pulumi takes, as long as labels and file names can be. */
function parseNewStack(value: string): string {
  if (/^[A-Za-z0-9][\w.-]{0,62}$/.test(value)) return value;
  throw new InvalidArgumentError(
    'allowed are letters, digits, dots, dashes and underscores, a letter or digit first, at most 63',
  );
}

const longestTtlMinutes = 7 * 24 * 60;

function parseTtlMinutes(value: string): number {
  // A bare number would be milliseconds, which nobody means here; what isn't a time has no number.
  const minutes = /[a-z]$/i.test(value) ? ms(value as ms.StringValue) / 60_000 : Number.NaN;
  if (Number.isInteger(minutes) && minutes >= 1 && minutes <= longestTtlMinutes) return minutes;
  throw new InvalidArgumentError('allowed is a time in whole minutes from 1m to 7d, such as 90m or 4h');
}

const mostJobs = 100;

function parseJobs(value: string): Jobs {
  if (value === 'auto') return value;
  const jobs = Number(value);
  if (Number.isInteger(jobs) && jobs >= 1 && jobs <= mostJobs) return jobs;
  throw new InvalidArgumentError(`allowed is "auto" or a whole number from 1 to ${String(mostJobs)}`);
}

interface SuiteOptions {
  suite: string[];
  category: string[];
  users: number;
}

interface PlanOptions {
  profile?: string;
  stack?: string;
  suite: string[];
  category: string[];
}

interface RunOptions {
  profile?: string;
  stack?: string;
  keepOnFailure: boolean;
  ttl?: number;
  jobs: Jobs;
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

program
  .command('plan')
  .description('say what a run would do and, on AWS, what it costs at most; nothing is made')
  .addOption(new Option('--profile <name>', "instead of the settings' profile").choices(profileNames))
  .option('--stack <name>', 'take the settings of Pulumi.<name>.yaml')
  .option('--suite <name>', 'of this suite; may be given several times', collect, [])
  .option('--category <name>', 'of the suites of this category; may be given several times', collect, [])
  .action(async ({ suite, category, ...choices }: PlanOptions) => {
    const wanted = {
      ...choices,
      ...{ suites: suite, categories: category, keepOnFailure: false, users: defaultUsers },
    };
    const note = (line: string): void => {
      process.stderr.write(`${line}\n`);
    };
    process.stdout.write(`${planReport(await makePlan(wanted, checkout, note))}\n`);
  });

withSuiteOptions(program.command('run'))
  .description('bring up, test and destroy an environment per suite, then give the verdict (npm start)')
  .addOption(new Option('--profile <name>', "instead of the settings' profile").choices(profileNames))
  .option('--stack <name>', 'take the settings of Pulumi.<name>.yaml')
  .option('--jobs <count>', 'suites at once, "auto" is as many as the host has room for', parseJobs, 1)
  .option('--keep-on-failure', 'leave the environment of a suite that did not pass for a look', false)
  .option(
    '--ttl <time>',
    'how long such an environment is to live from its start, such as 2h',
    parseTtlMinutes,
  )
  .addHelpText('after', exitCodeHelp())
  .action(async (options: SuiteOptions & RunOptions) => {
    const { suite, category, ttl, ...choices } = options;
    const wanted = {
      ...choices,
      suites: suite,
      categories: category,
      ...(ttl === undefined ? {} : { ttlMinutes: ttl }),
    };
    const { record, folder, abandoned, unreported } = await rehearse(wanted, checkout, terminalProgress());
    process.stdout.write(`${terminalReport(record, folder)}\n`);
    process.exitCode = exitCodeOf(record);
    if (unreported !== undefined) {
      process.stderr.write(`${unreported}\n`);
      // A "go" without a record of it is none.
      if (process.exitCode === exitCodes.go) process.exitCode = exitCodes.harnessError;
    }
    // The destroy that nobody waits for goes on without us.
    if (abandoned) process.exit();
  });

program
  .command('up')
  .description('bring up an environment that stays up, for suites later and for a look, or prolong one')
  .requiredOption(
    '--stack <name>',
    'its name; Pulumi.<name>.yaml has its settings, if there is one',
    parseNewStack,
  )
  .addOption(new Option('--profile <name>', "instead of the settings' profile").choices(profileNames))
  .option('--ttl <time>', 'how long it is to live from now on, such as 4h', parseTtlMinutes)
  .action(async ({ ttl, ...choices }: UpChoices & { ttl?: number }) => {
    const wanted = { ...choices, ...(ttl === undefined ? {} : { ttlMinutes: ttl }) };
    process.exitCode = await bringUp(wanted, checkout, terminalProgress());
  });

withSuiteOptions(program.command('test'))
  .description('run suites against an environment that is up and stays up')
  .requiredOption('--stack <name>', 'the environment: a stack that is up')
  .action(async (options: SuiteOptions & { stack: string }) => {
    const { suite, category, ...choices } = options;
    const wanted = { ...choices, suites: suite, categories: category };
    process.exitCode = await testAgainst(wanted, checkout, terminalProgress());
  });

program
  .command('down')
  .description('destroy an environment that was brought up or kept, or all of a branch')
  .option('--stack <name>', 'this one')
  .option('--branch <name>', 'every one that runs of this branch left, and one with its name')
  .action(async ({ stack, branch }: { stack?: string; branch?: string }, command: Command) => {
    if ((stack === undefined) === (branch === undefined)) command.error('give either --stack or --branch');
    const choice = stack === undefined ? { branch: branch ?? '' } : { stack };
    process.exitCode = await takeDown(choice, checkout, terminalProgress());
  });

program
  .command('gc')
  .description('destroy what dead runners left, and what has outlived its time to live')
  .option('--dry-run', 'only say what would be destroyed', false)
  .option(
    '--region <name>',
    "look for hosts there, too, beside the regions of the stacks' settings; may be given several times",
    collectRegion,
    [],
  )
  .action(async ({ dryRun, region }: { dryRun: boolean; region: string[] }) => {
    process.exitCode = await collectGarbage({ dryRun, regions: region }, checkout, terminalProgress());
  });

program
  .command('diagnose')
  .description('say why a run was no "go", and have what is recommended written to the settings')
  .argument('[run]', "a run's id or folder (default: the last run)")
  .option('--apply-recommendation', "write the recommended values into the stack's settings file", false)
  .option('--stack <name>', 'into Pulumi.<name>.yaml: the stack whose settings the run had', parseNewStack)
  .action(async (run: string | undefined, options: Omit<DiagnoseChoices, 'run'>) => {
    const choices = { ...options, ...(run === undefined ? {} : { run }) };
    process.stdout.write(`${await diagnosisOf(choices, checkout)}\n`);
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

// A terminal that is closed, or a pipe that nobody reads any more, must not end what is at work: a run destroys what is up.
for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined);

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = exitCodes.error;
}

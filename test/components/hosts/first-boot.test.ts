import { describe, expect, test } from '@jest/globals';
import { waitForFirstBoot } from '../../../components/hosts/first-boot.js';

interface Answer {
  exitCode: number;
  stdout?: string;
  stderr?: string;
}

/** A host that answers each command by what the time is; the time passes only while somebody sleeps. */
function hostThat(answer: (command: string, seconds: number) => Answer) {
  let nowMs = 0;
  const asked: string[] = [];
  return {
    asked,
    args: {
      host: 'ssh://rehearsal@192.0.2.1',
      shell: async (command: string) => {
        asked.push(command);
        return { stdout: '', stderr: '', ...answer(command, nowMs / 1000) };
      },
      clock: {
        now: () => nowMs,
        sleep: async (ms: number) => {
          nowMs += ms;
        },
      },
    },
  };
}

const noRoute = { exitCode: 255, stderr: 'connect to host 192.0.2.1 port 22: Connection refused' };
const done = (errors: string[]) => JSON.stringify({ v1: { datasource: 'DataSourceEc2Local', errors } });

describe('waitForFirstBoot', () => {
  test('waits for ssh, then for cloud-init, then for the mark that Docker answers', async () => {
    const { args, asked } = hostThat((command, seconds) => {
      if (seconds < 30) return noRoute;
      if (command.startsWith('cat'))
        return seconds < 90 ? { exitCode: 1 } : { exitCode: 0, stdout: done([]) };
      return { exitCode: 0 };
    });
    await waitForFirstBoot(args);
    expect([...new Set(asked)]).toEqual([
      'true',
      'cat /run/cloud-init/result.json',
      'test -e /run/rehearsal/ready',
    ]);
    expect(args.clock.now()).toBe(90_000);
  });

  test("says within its deadline what ssh said when the host can't be reached", async () => {
    const { args } = hostThat(() => noRoute);
    await expect(waitForFirstBoot(args)).rejects.toThrow(
      /ssh to ssh:\/\/rehearsal@192\.0\.2\.1: not reached within 180 s\nconnect to host .* refused/,
    );
  });

  test('outlasts a connection that breaks while cloud-init is at work', async () => {
    const { args } = hostThat((command, seconds) => {
      if (!command.startsWith('cat')) return { exitCode: 0 };
      if (seconds < 10) return { exitCode: 1 };
      return seconds < 20 ? noRoute : { exitCode: 0, stdout: done([]) };
    });
    await waitForFirstBoot(args);
    expect(args.clock.now()).toBe(20_000);
  });

  const log = { exitCode: 0, stdout: 'E: Unable to locate package docker.io\n' };

  test('quotes the log of a cloud-init that does not end', async () => {
    const { args } = hostThat((command) => {
      if (command.startsWith('cat')) return { exitCode: 1 };
      return command.startsWith('sudo -n tail') ? log : { exitCode: 0 };
    });
    await expect(waitForFirstBoot(args)).rejects.toThrow(
      /cloud-init on .*: not reached within 360 s\nlast lines of its log:\nE: Unable to locate/,
    );
  });

  test('names the errors of a cloud-init that failed', async () => {
    const { args } = hostThat((command) => {
      if (command.startsWith('cat'))
        return { exitCode: 0, stdout: done(["('package_update_upgrade_install', …)"]) };
      return command.startsWith('sudo -n tail') ? log : { exitCode: 0 };
    });
    await expect(waitForFirstBoot(args)).rejects.toThrow(
      /cloud-init failed on .*: \('package_update_upgrade_install', …\)\n.*\nE: Unable to locate/,
    );
  });

  test('is not content with a cloud-init that came to its end without Docker', async () => {
    const { args } = hostThat((command) => {
      if (command.startsWith('cat')) return { exitCode: 0, stdout: done([]) };
      return { exitCode: command === 'true' ? 0 : 1, stderr: 'no sudo' };
    });
    await expect(waitForFirstBoot(args)).rejects.toThrow(
      "cloud-init failed on ssh://rehearsal@192.0.2.1: Docker did not answer there\nits log can't be read: no sudo",
    );
  });
});

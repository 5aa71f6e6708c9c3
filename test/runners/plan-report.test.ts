import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { makePlan } from '../../runners/plan.js';
import { planReport } from '../../runners/plan-report.js';
import { temporaryFolder } from '../helpers/temporary.js';

let checkout: string;

beforeAll(async () => {
  checkout = temporaryFolder('plan');
  await writeFile(path.join(checkout, 'Pulumi.yaml'), 'name: rehearsal\nruntime: nodejs\n');
});

async function reportFor(config: Record<string, unknown>): Promise<string> {
  await writeFile(path.join(checkout, 'Pulumi.dev.yaml'), stringify({ config }));
  const choices = { stack: 'dev', suites: [], categories: [], keepOnFailure: false, users: 10 };
  return planReport(await makePlan(choices, checkout, () => undefined));
}

describe('rehearsal plan', () => {
  test('names the suites, each service’s limit and the local host, without a cost', async () => {
    const report = await reportFor({ 'rehearsal:profile': 'small' });
    expect(report).toContain('agent-message-flow, at most 5 min');
    expect(report).toMatch(/Σ\(limits\) +│ +1712/);
    expect(report).toContain("Host: the Docker Engine of this machine's context");
    expect(report).not.toContain('Cost');
  });

  test('names the instance and what the run costs at most', async () => {
    const report = await reportFor({
      'rehearsal:profile': 'standard',
      'rehearsal:host': { kind: 'aws', region: 'eu-central-1', architecture: 'arm64', spot: true },
    });
    expect(report).toContain('m7g.xlarge, arm64, 4 vCPUs, 16384 MiB (at least 15155 of them to use');
    expect(report).toContain('30 GB gp3, spot');
    expect(report).toMatch(
      /Cost: at most \$0\.\d\d for 5 instances .*; eu-central-1 has prices of its own; spot instances cost at most that/,
    );
  });

  test('refuses a budget above the largest type with both numbers', async () => {
    await expect(
      reportFor({
        'rehearsal:budgetMb': 2_000_000,
        'rehearsal:services': { backend: { memoryMb: 1_600_000 } },
        'rehearsal:host': { kind: 'aws', region: 'eu-central-1' },
      }),
    ).rejects.toThrow(/1610624 MiB are needed.*r7i\.48xlarge, has 1454899 MiB/);
  });

  test('tells everything that is wrong with the host at once', async () => {
    await expect(
      reportFor({
        'rehearsal:host': {
          kind: 'aws',
          region: 'here',
          runnerAddress: '0.0.0.0/0',
          volumeGb: 1,
          ami: 'debian',
        },
      }),
    ).rejects.toThrow(
      /4 problems[^]*host\.region is "here"[^]*host\.volumeGb is 1[^]*host\.ami is "debian"[^]*host\.runnerAddress is "0\.0\.0\.0\/0": an IPv4 address/,
    );
  });
});

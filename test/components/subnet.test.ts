import { describe, expect, test } from '@jest/globals';
import { blockOf, chooseSubnet, routesIn, type Claim, type Taken } from '../../components/subnet.js';

const network = (subnet: string): Taken => ({ ...blockOf(subnet), by: `network ${subnet}` });
const looks = (...subnets: string[]) => {
  const taken = subnets.map(network);
  return () => Promise.resolve(taken);
};
const release = () => Promise.resolve();
const granted: Claim = () => Promise.resolve(release);

/** Claims as one machine's programs make them: each subnet once. */
function claims(): Claim {
  const made = new Set<string>();
  return (subnet) => {
    const free = !made.has(subnet);
    made.add(subnet);
    return Promise.resolve(free ? release : undefined);
  };
}

describe('a subnet for an environment', () => {
  test('begins at a place that the stack decides', async () => {
    const first = await chooseSubnet('one', looks(), granted);
    expect(first).toMatch(/^10\.213\.\d+\.\d+\/27$/);
    expect(await chooseSubnet('one', looks(), granted)).toBe(first);
    expect(await chooseSubnet('another', looks(), granted)).not.toBe(first);
  });

  test('is beside what overlaps it, larger or smaller', async () => {
    const first = await chooseSubnet('one', looks(), granted);
    const inside = first.replace('/27', '/30');
    const second = await chooseSubnet('one', looks(inside), granted);
    expect(second).toMatch(/^10\.213\./);
    expect(second).not.toBe(first);
    expect(await chooseSubnet('one', looks('10.0.0.0/8'), granted)).toMatch(/^172\.16\./);
    expect(await chooseSubnet('one', looks('10.0.0.0/8', '172.16.0.0/12'), granted)).toMatch(/^192\.168\.2/);
  });

  test('is claimed by one program only, of many that look at once for one stack', async () => {
    const claim = claims();
    const chosen = await Promise.all(Array.from({ length: 40 }, () => chooseSubnet('one', looks(), claim)));
    expect(new Set(chosen).size).toBe(40);
  });

  test('is another one when its network was made between the look and the claim', async () => {
    const first = await chooseSubnet('one', looks(), granted);
    const released: string[] = [];
    const seen = [looks(), looks(first)];
    const chosen = await chooseSubnet(
      'one',
      () => (seen.length > 1 ? seen.shift() : seen[0])?.() ?? Promise.resolve([]),
      (subnet) => Promise.resolve(() => Promise.resolve(void released.push(subnet))),
    );
    expect(chosen).not.toBe(first);
    expect(released).toEqual([first]);
  });

  test('is refused with the names of what is taken when none is left', async () => {
    const taken = looks('10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '11.0.0.0/8');
    await expect(chooseSubnet('one', taken, granted)).rejects.toThrow(
      "no /27 of 10.213.0.0/16, 172.16.0.0/16, 192.168.224.0/19 is free for the environment's network: " +
        'network 10.0.0.0/8, network 172.16.0.0/12, network 192.168.0.0/16',
    );
  });

  test('is refused when all that is free is claimed', async () => {
    const taken = looks('10.0.0.0/8', '172.16.0.0/12', '192.168.224.0/20', '192.168.240.0/21');
    const held: Claim = () => Promise.resolve(undefined);
    await expect(chooseSubnet('one', taken, held)).rejects.toThrow(
      /and 64 for environments that are coming up$/,
    );
  });
});

describe('the routes of this machine', () => {
  const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
  const route = (device: string, destination: string, mask: string): string =>
    `${device}\t${destination}\t00000000\t0001\t0\t0\t0\t${mask}\t0\t0\t0\n`;

  test('are read from what Linux tells', () => {
    const table = head + route('tun0', '0000D50A', '0000FFFF') + route('br-1', '0070A8C0', '00F0FFFF');
    expect(routesIn(table)).toEqual([
      { ...blockOf('10.213.0.0/16'), by: 'route 10.213.0.0/16 by tun0' },
      { ...blockOf('192.168.112.0/20'), by: 'route 192.168.112.0/20 by br-1' },
    ]);
  });

  test('are none without a table, and default routes take nothing', () => {
    expect(routesIn('')).toEqual([]);
    const table = head + route('eth0', '00000000', '00000000') + route('tun0', '00000000', '00000080');
    expect(routesIn(table)).toEqual([]);
  });
});

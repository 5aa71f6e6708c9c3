import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import path from 'node:path';
import type Docker from 'dockerode';
import { cacheFolder } from '../engine/cache.js';
import { tryLock, type Release } from '../engine/lock.js';

/** Private, seldom used, and for the most part outside Docker's own pools, which hold some 30 networks. */
const ranges = ['10.213.0.0/16', '172.16.0.0/16', '192.168.224.0/19'];
/** 29 addresses for containers. */
const prefix = 27;
const size = 2 ** (32 - prefix);
/** A shorter one is a default route in disguise, as VPNs make them in halves. */
const shortestRoutePrefix = 8;

/** Addresses as numbers. */
interface Block {
  first: number;
  last: number;
}
/** Addresses that somebody uses. */
export interface Taken extends Block {
  /** Who, for people. */
  by: string;
}
/** Keeps others from a subnet until it is released; undefined when somebody else has it. */
export type Claim = (subnet: string) => Promise<Release | undefined>;

/**
 * A subnet for the network of a stack that is coming up: neither a network of the Docker Engine nor a route of
 * its machine has its addresses, and no other program of this user gets it as long as this process lives.
 * @param isLocal whether the routes of this machine are the engine's, too. Those of another one nobody tells.
 * @throws Error that names what is taken when none is left.
 */
export async function reserveSubnet(docker: Docker, stack: string, isLocal = true): Promise<string> {
  const folder = path.join(cacheFolder(), 'subnets');
  await mkdir(folder, { recursive: true });
  return chooseSubnet(
    stack,
    async () => [...(await networksOf(docker)), ...(isLocal ? await routes() : [])],
    (subnet) => tryLock(folder, subnet.replace('/', '-')),
  );
}

/** @param stack where the search begins: different stacks seldom meet. */
export async function chooseSubnet(
  stack: string,
  takenNow: () => Promise<Taken[]>,
  claim: Claim,
): Promise<string> {
  let taken = await takenNow();
  let claimed = 0;
  for (const subnet of candidates(stack)) {
    const isTaken = (): boolean => taken.some((other) => overlap(blockOf(subnet), other));
    if (isTaken()) continue;
    const release = await claim(subnet);
    if (release === undefined) {
      claimed += 1;
      continue;
    }
    // Who had the claim before may have made his network and ended since the first look.
    taken = await takenNow();
    if (!isTaken()) return subnet;
    await release();
  }
  const users = taken
    .filter((block) => ranges.some((range) => overlap(blockOf(range), block)))
    .map(({ by }) => by);
  throw new Error(
    `no /${String(prefix)} of ${ranges.join(', ')} is free for the environment's network: ` +
      `${users.join(', ')}${claimed === 0 ? '' : `, and ${String(claimed)} for environments that are coming up`}`,
  );
}

function candidates(stack: string): string[] {
  const all = ranges.flatMap((range) => {
    const { first, last } = blockOf(range);
    const count = (last + 1 - first) / size;
    const start = createHash('sha256').update(stack).digest().readUInt32BE() % count;
    return Array.from({ length: count }, (_, index) => first + ((start + index) % count) * size);
  });
  return all.map((address) => `${textOf(address)}/${String(prefix)}`);
}

async function networksOf(docker: Docker): Promise<Taken[]> {
  const networks = await docker.listNetworks();
  return networks.flatMap(({ Name, IPAM }) =>
    (IPAM?.Config ?? []).flatMap(({ Subnet = '' }) =>
      isIPv4(Subnet.split('/')[0] ?? '') ? [{ ...blockOf(Subnet), by: `network ${Name} (${Subnet})` }] : [],
    ),
  );
}

/** Of this machine, where Linux tells them. */
async function routes(): Promise<Taken[]> {
  const table = await readFile('/proc/net/route', 'utf8').catch(() => '');
  return routesIn(table);
}

/** @param table as in /proc/net/route: addresses in hexadecimal, the last byte first. */
export function routesIn(table: string): Taken[] {
  return table
    .trim()
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [device = '', address = '', , , , , , mask = ''] = line.split('\t');
      const bits = numberOf(mask);
      const length = Math.log2(2 ** 32 - bits);
      if (32 - length < shortestRoutePrefix) return [];
      const first = numberOf(address);
      const route = `${textOf(first)}/${String(32 - length)}`;
      return [{ ...blockOf(route), by: `route ${route} by ${device}` }];
    });
}

const numberOf = (hex: string): number => Buffer.from(hex, 'hex').readUInt32LE();

/** @param subnet in the notation of CIDR, IPv4. */
export function blockOf(subnet: string): Block {
  const [address = '', length = ''] = subnet.split('/');
  const first = address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
  return { first, last: first + 2 ** (32 - Number(length)) - 1 };
}

const textOf = (address: number): string =>
  [24, 16, 8, 0].map((shift) => String(Math.floor(address / 2 ** shift) % 256)).join('.');

const overlap = (one: Block, other: Block): boolean => one.first <= other.last && other.first <= one.last;

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { findRunnerAddress } from '../../../components/hosts/runner-address.js';

let server: Server;

async function serviceThat(says: string, status = 200): Promise<string> {
  server = createServer((_, response) => response.writeHead(status).end(says)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`;
}

afterEach(() => {
  server.close();
});

describe('findRunnerAddress', () => {
  test('is what the service says', async () => {
    expect(await findRunnerAddress(await serviceThat('192.0.2.7\n'))).toBe('192.0.2.7');
  });

  test.each([
    ['an IPv6 address', '2001:db8::7', 200, /"2001:db8::7", no IPv4 address/],
    ['a page', '<html>log in</html>', 200, /"<html>log in<\/html>", no IPv4 address/],
    ['an error', 'busy', 503, /HTTP 503/],
  ])('refuses %s and names the setting', async (_, says, status, why) => {
    const found = findRunnerAddress(await serviceThat(says, status));
    await expect(found).rejects.toThrow(why);
    await expect(found).rejects.toThrow('set rehearsal:host.runnerAddress');
  });

  test('says why nobody answers', async () => {
    const url = await serviceThat('');
    server.close();
    await expect(findRunnerAddress(url)).rejects.toThrow(/ECONNREFUSED.*rehearsal:host\.runnerAddress/);
  });
});

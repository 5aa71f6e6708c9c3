import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { composeFile } from '../../../bench/compose-file.js';
import { someBlueprint } from './support/blueprint.js';

type File = Record<'services' | 'volumes' | 'networks', Record<string, Record<string, unknown>>>;

const labels = { 'rehearsal.run': '123', 'rehearsal.expires-at': '2026-01-01T00:00:00.000Z' };
const request = {
  blueprint: someBlueprint({
    postgres: { dataPath: '/var/lib/postgresql/data', tmpfs: { '/run/postgresql': 'uid=70,size=1m' } },
    backend: { after: ['postgres', 'redis'], command: ['serve', '--price=$5'] },
  }),
  labels,
  subnet: '10.213.0.0/27',
};
const read = (text: string): File => parse(text) as File;

describe('compose file', () => {
  const file = read(composeFile(request));

  test('has limits, options, order and health checks of ours', () => {
    expect(file.services['backend']).toEqual({
      image: 'rehearsal/any:1',
      pull_policy: 'never',
      hostname: 'any',
      command: ['serve', '--price=$$5'],
      environment: ['TOKEN=pa$$$$word'],
      labels: { ...labels, 'rehearsal.service': 'backend' },
      user: '1000:1000',
      mem_limit: 67108864,
      memswap_limit: 67108864,
      cpu_shares: 512,
      pids_limit: 256,
      read_only: true,
      tmpfs: [],
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      logging: { driver: 'json-file', options: { 'max-size': '10m' } },
      restart: 'no',
      networks: { environment: { aliases: ['backend'] } },
      ports: ['127.0.0.1::8080'],
      healthcheck: {
        test: ['CMD', '/usr/local/bin/healthcheck'],
        interval: '10s',
        timeout: '2.5s',
        retries: 30,
        start_period: '120s',
      },
      depends_on: {
        postgres: { condition: 'service_healthy' },
        redis: { condition: 'service_healthy' },
      },
    });
  });

  test('keeps data in labelled volumes and sockets in memory', () => {
    expect(file.services['postgres']).toMatchObject({
      volumes: ['postgres-data:/var/lib/postgresql/data'],
      tmpfs: ['/run/postgresql:uid=70,size=1m'],
    });
    expect(file.volumes).toEqual({
      'postgres-data': { labels: { ...labels, 'rehearsal.service': 'postgres' } },
    });
  });

  test('has a network of its own', () => {
    expect(file.networks).toEqual({
      environment: { driver: 'bridge', labels, ipam: { config: [{ subnet: '10.213.0.0/27' }] } },
    });
  });

  test('writes what reads like a time or a number as text', () => {
    const text = composeFile(request);
    expect(text).toContain('rehearsal.expires-at: "2026-01-01T00:00:00.000Z"');
    expect(text).toContain('rehearsal.run: "123"');
  });

  test('asks more often on request', () => {
    const often = read(composeFile({ ...request, intervalSeconds: 1 }));
    expect(often.services['backend']?.['healthcheck']).toMatchObject({ interval: '1s', timeout: '2.5s' });
  });
});

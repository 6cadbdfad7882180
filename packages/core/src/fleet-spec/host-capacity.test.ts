import type { HostFacts } from '@dstack/contract/agent';
import { describe, expect, it } from 'vitest';
import { type HostInput, hostCapacity } from './host-capacity.ts';

const facts: HostFacts = {
  hostname: 'gpu-1',
  arch: 'x86',
  cpus: 8,
  memory_bytes: 16 * 2 ** 30,
  disk_bytes: 100 * 2 ** 30,
  addresses: ['172.17.0.1/16', '10.1.0.5/24', 'fd00::7/64'],
  gpus: [],
  gpu_driver: null,
  ssh_host_key: null,
};

function ask(more: Partial<Omit<HostInput, 'host'>> & { readonly host?: object } = {}) {
  const host = { hostname: 'gpu-1.lan', user: 'ubuntu', port: null, internalIp: null };
  return hostCapacity({
    instanceId: 'i',
    network: null,
    blocks: 1,
    price: 0,
    facts,
    ...more,
    host: { ...host, proxyJump: null, ...more.host },
  });
}

const address = (answer: ReturnType<typeof ask>) =>
  answer.ok ? answer.provisioningData.internal_ip : answer.message;

describe('an SSH host', () => {
  it('is the machine its agent found, reached through its sshd', () => {
    expect(ask()).toMatchObject({
      ok: true,
      totalBlocks: 1,
      offer: {
        backend: 'remote',
        price: 0,
        instance: { resources: { cpus: 8, memory_mib: 16384 } },
      },
      provisioningData: {
        hostname: 'gpu-1.lan',
        username: 'ubuntu',
        ssh_port: 22,
        dockerized: true,
      },
    });
  });

  it('costs what its owner has set', () => {
    expect(ask({ price: 1.25 })).toMatchObject({
      offer: { price: 1.25 },
      provisioningData: { price: 1.25 },
    });
  });

  it.each([
    ['the one that was given', { host: { internalIp: '10.1.0.5' } }, '10.1.0.5'],
    ['the first inside the network', { network: '10.1.0.0/16' }, '10.1.0.5'],
    ['one of the sixth version', { network: 'fd00::/32' }, 'fd00::7'],
    ['its name, if that is one', { host: { hostname: '172.17.0.1' } }, '172.17.0.1'],
    ['not Docker’s own bridge', {}, '10.1.0.5'],
  ])('has as internal address %s', (_what, more, ip) => {
    expect(address(ask(more))).toBe(ip);
  });

  it.each([
    ['without the given address', { host: { internalIp: '10.1.0.9' } }, /Specified internal IP/],
    ['outside the network', { network: '192.168.0.0/24' }, /Failed to locate internal IP/],
    ['that does not divide', { blocks: 3 }, /Cannot split into blocks/],
  ])('%s is refused', (_what, more, message) => {
    expect(address(ask(more))).toMatch(message);
  });

  it.each([
    ['one per CPU', facts, 8],
    [
      'one per GPU',
      { ...facts, gpus: Array(4).fill({ vendor: 'nvidia', name: 'A100', memory_mib: 1, id: '0' }) },
      4,
    ],
  ])('is divided by itself into %s', (_what, found, blocks) => {
    expect(ask({ blocks: 'auto', facts: found })).toMatchObject({ totalBlocks: blocks });
  });
});

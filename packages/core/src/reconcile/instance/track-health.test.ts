import type { HostCheck } from '@dstack/contract/agent';
import { describe, expect, it } from 'vitest';
import { aHost, anInstance, anOffer } from '../testing/records.ts';
import { World } from '../testing/world.ts';
import { healthMessage } from './track-health.ts';

const LOST: HostCheck = { name: 'gpu', status: 'failure', message: 'GPU 1 is lost' };
const FULL: HostCheck = { name: 'disk', status: 'warning', message: '4 % are free' };
const FINE: HostCheck = { name: 'disk', status: 'healthy', message: null };
const CAPACITY = { kind: 'capacity', id: 'fleet:fleet-1' };

function world(patch: Parameters<typeof anInstance>[0] = {}) {
  const w = new World({ instances: [anInstance(patch)], hosts: [aHost()] });
  const report = (...checks: readonly HostCheck[]) => {
    w.signals.length = 0;
    w.health.set('inst-1', { hostId: 'inst-1', checks, since: w.now, reportedAt: w.now });
    w.instancePass();
    return w.instance();
  };
  return { w, report };
}

describe('the health of an instance', () => {
  it('is the worst of what its host reports, and each change is an event', () => {
    const { w, report } = world();
    expect(report(LOST, FULL)).toMatchObject({
      health: 'failure',
      healthMessage: 'gpu: GPU 1 is lost; disk: 4 % are free',
    });
    expect(report(FULL)).toMatchObject({ health: 'warning' });
    expect(report(FINE)).toMatchObject({ health: 'healthy', healthMessage: null });
    expect(w.events).toEqual([
      'Instance health changed HEALTHY -> FAILURE (gpu: GPU 1 is lost; disk: 4 % are free)',
      'Instance health changed FAILURE -> WARNING (disk: 4 % are free)',
      'Instance health changed WARNING -> HEALTHY',
    ]);
  });

  it('wakes what waits for capacity when jobs may be placed there again, and when they may not', () => {
    const { w, report } = world();
    report(LOST);
    expect(w.signals).toContainEqual(CAPACITY);
    report(LOST, FULL);
    expect(w.signals).not.toContainEqual(CAPACITY);
    report(FULL);
    expect(w.signals).toContainEqual(CAPACITY);
    report(FINE);
    expect(w.signals).not.toContainEqual(CAPACITY);
  });

  it('does not change without a report, nor records an event if another check is the reason', () => {
    const { w, report } = world({ health: 'warning', healthMessage: 'as before' });
    w.instancePass();
    expect(w.instance()).toMatchObject({ health: 'warning', healthMessage: 'as before' });
    expect(report(FULL).healthMessage).toBe('disk: 4 % are free');
    expect(w.events).toEqual([]);
  });

  it('is followed while the instance has jobs, which continue', () => {
    const { report } = world({ status: 'busy', busyBlocks: 1 });
    expect(report(LOST)).toMatchObject({ health: 'failure' });
  });

  it('counts once it is in service', () => {
    const { report } = world({ status: 'provisioning' });
    expect(report(LOST)).toMatchObject({ status: 'idle', health: 'failure' });
  });

  it.each(['terminating', 'terminated'] as const)('is not followed while it is %s', (status) => {
    const { report } = world({ status });
    expect(report(LOST).health).toBe('healthy');
  });

  describe('with GPUs that its agent does not list', () => {
    const gpu = { vendor: 'nvidia', name: 'A10G', memory_mib: 23_028 } as const;
    const FACTS = {
      ...{ hostname: 'h', arch: 'x86' as const, cpus: 2, memory_bytes: 1, disk_bytes: 0 },
      ...{ addresses: [], gpu_driver: null, ssh_host_key: null },
    };

    function withGpus(backend: 'remote' | 'local' | 'aws', listed: number) {
      const offer = anOffer({ backend });
      const { instance } = offer;
      const resources = { ...instance.resources, gpus: [gpu, gpu] };
      const { w, report } = world({ offer: { ...offer, instance: { ...instance, resources } } });
      const gpus = Array.from({ length: listed }, (_, n) => ({ ...gpu, id: `GPU-${n}` }));
      w.hosts.set('inst-1', { ...aHost(), facts: { ...FACTS, gpus } });
      return report;
    }

    it.each([
      ['remote', 1, 'failure'],
      ['remote', 0, 'failure'],
      ['local', 1, 'failure'],
      ['aws', 1, 'failure'],
      ['aws', 0, 'healthy'],
      ['remote', 2, 'healthy'],
    ] as const)('on %s, where it lists %d of 2: %s', (backend, listed, health) => {
      expect(withGpus(backend, listed)(FINE).health).toBe(health);
    });

    it('is explained, but not twice', () => {
      expect(withGpus('remote', 1)(FINE).healthMessage).toMatch(
        /^gpu: the host has 1 of the 2 GPUs that it had when it was added; /,
      );
      expect(withGpus('remote', 1)(LOST).healthMessage).toBe('gpu: GPU 1 is lost');
    });
  });
});

it('many checks are counted, the worst are named', () => {
  const more = ['a', 'b', 'c'].map((name): HostCheck => ({ ...FULL, name, message: null }));
  expect(healthMessage([...more, LOST])).toBe('gpu: GPU 1 is lost; a; b; 1 more');
});

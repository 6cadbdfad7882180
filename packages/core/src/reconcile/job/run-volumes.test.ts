import { describe, expect, test } from 'vitest';
import { projectCapacity } from '../../instances/index.ts';
import type { AttachmentRecord, JobVolume } from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';
import { aHost, aJobSpec, anInstance, aRunSpec, placedJob, T0 } from '../testing/records.ts';
import { World } from '../testing/world.ts';

const instance = anInstance({ status: 'busy', busyBlocks: 1 });
const spec = aJobSpec({ volumes: [{ name: 'data', path: '/data' }] });

function aMount(
  status: AttachmentRecord['status'] | null,
  patch: Partial<JobVolume> = {},
): JobVolume {
  const attachment = status && {
    ...{ id: 'a', volumeId: 'volume', instanceId: instance.id, status, statusChangedAt: T0 },
    ...{ error: status === 'failed' ? 'zone mismatch' : null, attachmentData: null, version: 1 },
  };
  return {
    ...{ volumeId: 'volume', jobId: 'job-1', mountNum: 0, releasedAt: null, name: 'data' },
    ...{ attachment, hasOthers: false },
    ...patch,
  };
}

function world(mount: JobVolume | null, job = {}): World {
  const made = new World({
    run: {
      status: 'provisioning',
      fleetId: 'fleet-1',
      spec: aRunSpec({ volumes: ['data:/data'] as never }),
    },
    jobs: [placedJob(instance, { spec, ...job })],
    instances: [instance],
    hosts: [aHost()],
  });
  made.volumes = mount ? [mount] : [];
  return made;
}

describe('a job with a volume', () => {
  test('is not started before the volume is attached', () => {
    const waiting = world(aMount(null));
    waiting.pass();
    waiting.volumes = [aMount('attaching')];
    waiting.pass();
    expect(waiting.announced('job.start')).toEqual([]);
    waiting.volumes = [aMount('attached')];
    waiting.pass();
    expect(waiting.announced('job.start')).toHaveLength(1);
  });

  test('fails if the volume cannot be attached, or was never assigned', () => {
    const failed = world(aMount('failed'));
    failed.pass();
    expect(failed.job('job-1')).toMatchObject({
      ...{ terminationReason: 'volume_error' },
      terminationMessage: 'Volume data could not be attached: zone mismatch',
    });
    const unassigned = world(null);
    unassigned.pass();
    expect(unassigned.job('job-1').terminationReason).toBe('volume_error');
  });

  test('fails with `volume_error` if the volume is deleted while it waits', () => {
    const job = { status: 'submitted' as const, instanceId: null, claimedBlocks: 0 };
    const refusal = { kind: 'volume', name: 'data', problem: 'missing' } as const;
    const waiting = world(null, { ...job, refusal });
    waiting.pass();
    expect(waiting.job('job-1')).toMatchObject({
      ...{ status: 'failed', terminationReason: 'volume_error' },
      terminationMessage: 'Volume data not found',
    });
  });
});

describe('a job that has ended', () => {
  const ended = (mount: JobVolume, job = {}) => {
    const made = world(mount, { status: 'running', runningAt: T0, ...job });
    made.exit('job-1', 0).pass();
    return made;
  };

  test('keeps its instance until its volume is detached', () => {
    const made = ended(aMount('attached'));
    expect(made.job('job-1').status).toBe('terminating');
    expect(made.instance()).toMatchObject({ status: 'busy', busyBlocks: 1 });
    expect(made.releasedVolumes).toEqual(['job-1']);
    expect(made.signals).toContainEqual({ kind: 'volume', id: 'volume' });
    made.volumes = [aMount('detaching', { releasedAt: T0 })];
    made.pass();
    expect(made.job('job-1').status).toBe('terminating');
    made.volumes = [aMount(null, { releasedAt: T0 })];
    made.pass();
    expect(made.job('job-1').status).toBe('done');
    expect(made.instance()).toMatchObject({ status: 'idle', busyBlocks: 0 });
    expect(made.leftVolumes).toEqual(['job-1']);
  });

  test('does not wait for a volume that other jobs of the instance use', () => {
    const made = ended(aMount('attached', { hasOthers: true }));
    expect(made.job('job-1').status).toBe('done');
    expect(made.leftVolumes).toEqual(['job-1']);
  });

  test('does not wait for a volume on an instance that ends', () => {
    const made = world(aMount('attached'), { status: 'running', runningAt: T0 });
    made.instances.set(instance.id, { ...instance, status: 'terminating' });
    made.exit('job-1', 0).pass();
    expect(made.job('job-1').status).toBe('done');
  });

  test('wakes the runs that wait for its volume, also if that was never attached', () => {
    const made = world(aMount(null), { status: 'running', runningAt: T0 });
    made.instances.set(instance.id, { ...instance, status: 'terminated' });
    made.exit('job-1', 0).pass();
    expect(made.leftVolumes).toEqual(['job-1']);
    expect(made.signals).toContainEqual(projectCapacity(made.run.projectId));
  });

  test('waits two minutes after the first forced attempt, and not longer', () => {
    const made = ended(aMount('attached'), { spec: { ...spec, stop_duration: 70 } });
    made.volumes = [aMount('detaching', { releasedAt: T0 })];
    made.pass();
    expect(made.run.nextPassAt).toBe(T0 + 190 * SECOND);
    made.later(190).pass();
    expect(made.job('job-1').status).toBe('done');
    expect(made.alarms).toEqual([expect.stringContaining('volume data is still attached')]);
  });
});

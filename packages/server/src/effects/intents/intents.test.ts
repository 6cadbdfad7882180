import type { IntentRecord, IntentResult } from '@dstack/core';
import type { Store } from '@dstack/store';
import { describe, expect, it } from 'vitest';
import { effectIsOurs } from '../effect-owner.ts';
import { descriptorOfKey, INTENTS, intentDescriptor } from './index.ts';

describe('kinds of intents', () => {
  it('are found by the key of an intent', () => {
    expect(descriptorOfKey('job.stop:j:3')?.kind).toBe('job.stop');
    expect(descriptorOfKey('toString:j:0')).toBeNull();
    expect(descriptorOfKey('nonsense')).toBeNull();
  });

  it('keep effects on jobs and on machines apart', () => {
    for (const { subject, queue } of Object.values(INTENTS)) {
      expect(queue).toBe(subject === 'job' ? 'job' : 'machine');
    }
  });

  it('may be cancelled only if no machine or process can be left behind', () => {
    const cancellable = Object.values(INTENTS).filter((one) => one.mayCancel);
    expect(cancellable.map((one) => one.kind)).toEqual([
      ...['job.start', 'job.release', 'job.stop', 'job.notice', 'volume.detach'],
    ]);
  });
});

const instances: Record<string, object> = {
  cloud: { id: 'cloud', hostId: 'cloud', backend: 'aws' },
  ssh: { id: 'ssh', hostId: 'ssh', backend: 'remote' },
};
const volumes: Record<string, object> = {
  'on-host': { backend: 'remote', hostId: 'ssh' },
  'on-fleet': { backend: 'remote', hostId: null },
  'on-cloud': { backend: 'aws', hostId: null },
};
const SHARED_ON_SSH = { volumeId: 'on-fleet', instanceId: 'ssh' };
const store = {
  shared: true,
  jobs: {
    byId: async (id: string) =>
      ({
        'on-cloud': { job: { instanceId: 'cloud' } },
        'placed-nowhere': { job: { instanceId: null } },
      })[id] ?? null,
  },
  volumes: { byId: async (id: string) => volumes[id] && { volume: volumes[id] } },
  instances: { byId: async (id: string) => instances[id] && { instance: instances[id] } },
};

const intent = (kind: IntentRecord['kind'], subjectId: string, payload = {}) =>
  ({ kind, subjectId, payload: { kind, ...payload } }) as unknown as IntentRecord;

describe('an effect belongs to the server with the link to', () => {
  it.each([
    ['the host of the job', intent('job.start', 'on-cloud'), 'cloud'],
    ['no host, where the job has none', intent('job.start', 'placed-nowhere'), null],
    ['no host, where the job was deleted', intent('job.stop', 'deleted'), null],
    ['the host that the job has left', intent('job.remove', 'deleted', { hostId: 'old' }), 'old'],
    ['the SSH host itself', intent('instance.terminate', 'ssh'), 'ssh'],
    ['no host, for a machine of a cloud', intent('instance.terminate', 'cloud'), null],
    ['no host, where the instance was deleted', intent('instance.create', 'deleted'), null],
    ['the host with the directory of a volume', intent('volume.delete', 'on-host'), 'ssh'],
    ['no host, for the volume of a cloud', intent('volume.delete', 'on-cloud'), null],
    ['the host that attaches a shared volume', intent('volume.attach', 'a', SHARED_ON_SSH), 'ssh'],
  ])('%s', async (_, one, expected) => {
    const descriptor = intentDescriptor(one.kind);
    expect(await descriptor.hostOf(store as unknown as Store, one)).toBe(expected);
  });

  it('another server, if that one is linked', async () => {
    const engine = { announcedIntent: async () => intent('job.start', 'on-cloud') };
    const ours = (elsewhere: boolean, shared = true) =>
      effectIsOurs({
        store: { ...store, shared, engine } as unknown as Store,
        hosts: { isElsewhere: async (hostId) => elsewhere && hostId === 'cloud' },
      })('job.start:on-cloud:0');
    expect(await ours(true)).toBe(false);
    expect(await ours(false)).toBe(true);
    expect(await ours(true, false)).toBe(true);
  });
});

describe('a stop that was carried out', () => {
  const wakesAfter = async (reports: readonly object[], result: IntentResult) => {
    const jobs = { runOf: async () => 'run' };
    const known = { jobs, reports: { byJobs: async () => reports } } as unknown as Store;
    return await intentDescriptor('job.stop').wakes(known, intent('job.stop', 'j'), result);
  };
  const run = [{ kind: 'run', id: 'run' }];

  it('leaves the next step to the report of the end, where the agent has reported the job', async () => {
    expect(await wakesAfter([{ jobId: 'j' }], { kind: 'ok' })).toEqual([]);
  });

  it('lets the run go on where no agent has reported the job, or the stop was refused', async () => {
    const refused = { kind: 'refused', reason: 'executor_error', message: 'no' } as const;
    expect(await wakesAfter([], { kind: 'ok' })).toEqual(run);
    expect(await wakesAfter([{ jobId: 'j' }], refused)).toEqual(run);
  });
});

import { describe, expect, it } from 'vitest';
import type {
  InstanceRecord,
  MountableVolume,
  Offer,
  PlacementSnapshot,
  VolumeRecord,
} from '../model/index.ts';
import { LOCAL_HOST, LOCAL_MOUNTS } from '../offers/local-limits.ts';
import { aHostVolume } from '../reconcile/testing/volumes.ts';
import { volumeRecord } from '../testing/records.ts';
import {
  aFleet,
  aGang,
  anInstance,
  anOffer,
  aRun,
  CLOUD,
  changesOf,
  jobChange,
  localOffer,
  placed,
  refusedWith,
} from './testing.ts';

const LAB = aFleet('lab', { ssh_config: { user: 'u', hosts: ['a', 'b'] } });
const REMOTE = { backend: 'remote', region: 'remote', price: 0 } as const;
const host = (num: number, patch: Partial<InstanceRecord> = {}) =>
  anInstance(LAB, num, anOffer(REMOTE), patch);

function mountable(volume: VolumeRecord, more: Partial<MountableVolume> = {}): MountableVolume {
  return { volume, attachments: [], users: [], missing: null, ...more };
}

const ON_LAB_1 = mountable(
  aHostVolume({ status: 'active', fleetId: LAB.id, hostId: 'lab-1', shared: true }),
);
const ATTACHED = {
  id: 'a',
  status: 'attached',
  statusChangedAt: 0,
  error: null,
  version: 1,
} as const;

/** A cloud volume that is attached to an instance. */
function attachedTo(instanceId: string): MountableVolume {
  const attachment = { ...ATTACHED, volumeId: 'volume', instanceId, attachmentData: null };
  const run = { id: 'r', name: 'eval', projectId: 'project-1', priority: 0, submittedAt: 0 };
  return mountable(volumeRecord(), { attachments: [attachment], users: [{ instanceId, run }] });
}

const refusal = (world: Partial<PlacementSnapshot>, offers: readonly Offer[] = []) =>
  refusedWith(placed(world, offers), 'job-a-0-0');

const gang = (name = 'a', configuration: object = {}) =>
  aGang(aRun(name, { volumes: ['data:/data'], ...configuration }), 0);

describe('a job that mounts a volume on the disk of a host', () => {
  it('gets the host that has it, although another host is free too', () => {
    const world = { fleets: [LAB], instances: [host(0), host(1)], volumes: [ON_LAB_1] };
    const decision = placed({ ...world, gangs: [gang()] });
    expect(jobChange(decision, 'job-a-0-0')).toMatchObject({
      ...{ instanceId: 'lab-1', status: 'provisioning' },
      runtimeData: { volume_names: ['data'] },
    });
    expect(changesOf(decision, 'volume-use.insert')).toMatchObject([
      { use: { volumeId: 'volume', jobId: 'job-a-0-0', mountNum: 0, releasedAt: null } },
    ]);
    // A deletion at the same moment makes the pass run again.
    expect(changesOf(decision, 'volume.update')).toMatchObject([{ id: 'volume', version: 1 }]);
    expect(decision.signals).toContainEqual({ kind: 'volume', id: 'volume' });
  });

  it('waits for that host, and the others never suit it', () => {
    const busy = host(1, { status: 'busy', busyBlocks: 1 });
    const instances = [host(0), busy];
    const world = { fleets: [LAB], instances, volumes: [ON_LAB_1], gangs: [gang()] };
    expect(refusal(world)).toContain(
      '1 where volume data cannot be mounted since it is on lab-1, 1 busy',
    );
  });

  it('shares it with other jobs of the host', () => {
    const divided = host(1, { totalBlocks: 2, busyBlocks: 1, status: 'busy' });
    const world = { fleets: [LAB], instances: [divided], volumes: [ON_LAB_1] };
    expect(jobChange(placed({ ...world, gangs: [gang()] }), 'job-a-0-0')).toMatchObject({
      instanceId: 'lab-1',
    });
  });

  it('gets any host of a fleet that shares a file system', () => {
    const volumes = [mountable({ ...ON_LAB_1.volume, hostId: null })];
    const decision = placed({ fleets: [LAB], instances: [host(0)], volumes, gangs: [gang()] });
    expect(jobChange(decision, 'job-a-0-0')).toMatchObject({ instanceId: 'lab-0' });
  });

  it('gets no machine of a cloud', () => {
    const world = { fleets: [CLOUD], volumes: [ON_LAB_1], gangs: [gang()] };
    expect(refusal(world, [anOffer()])).toContain('volume data cannot be mounted');
  });

  it('never mounts one volume at two paths', () => {
    const { run, jobs } = gang();
    const volumes = ['/a', '/b'].map((path) => ({ name: 'data', path }));
    const twice = { run, jobs: jobs.map((job) => ({ ...job, spec: { ...job.spec, volumes } })) };
    const world = { fleets: [LAB], instances: [host(1)], volumes: [ON_LAB_1], gangs: [twice] };
    expect(changesOf(placed(world), 'volume-use.insert')).toEqual([]);
  });

  it('mounts the first of several volumes that exists', () => {
    const other = { ...ON_LAB_1.volume, id: 'other', name: 'other', hostId: 'lab-0' };
    const volumes = [mountable(other), ON_LAB_1];
    const named = gang('a', { volumes: [{ name: ['other', 'data'], path: '/data' }] });
    const decision = placed({ fleets: [LAB], instances: [host(1)], volumes, gangs: [named] });
    expect(jobChange(decision, 'job-a-0-0')?.runtimeData).toMatchObject({ volume_names: ['data'] });
  });
});

describe('a job that mounts a volume of the server host', () => {
  const volumes = [
    mountable(aHostVolume({ status: 'active', backend: 'local', fleetId: null, hostId: 'local' })),
  ];
  const offer = (data: object) => localOffer('process', { [LOCAL_HOST]: 'local', ...data });

  it('gets a slot there', () => {
    const world = { fleets: [CLOUD], volumes, gangs: [gang()] };
    const decision = placed(world, [offer({ [LOCAL_MOUNTS]: true })]);
    expect(changesOf(decision, 'instance.insert')).toHaveLength(1);
    expect(changesOf(decision, 'volume-use.insert')).toHaveLength(1);
  });

  it('gets none where the server has no right to make mounts', () => {
    const world = { fleets: [CLOUD], volumes, gangs: [gang()] };
    expect(refusal(world, [offer({})])).toContain('the server may not make mounts');
  });

  it('gets none of another server', () => {
    const world = { fleets: [CLOUD], volumes, gangs: [gang()] };
    const elsewhere = offer({ [LOCAL_MOUNTS]: true, [LOCAL_HOST]: 'local-2' });
    expect(refusal(world, [elsewhere])).toContain("since it is on the server's machine");
  });
});

describe('a job that mounts a volume of a cloud', () => {
  const zoned = volumeRecord({
    provisioningData: {
      ...({} as VolumeRecord['provisioningData']),
      availability_zone: 'us-east-1b',
    } as never,
  });

  it('gets machines of its region and zone only', () => {
    const offers = [
      anOffer({ region: 'eu-west-1', price: 0.1 }),
      anOffer({ price: 0.2, zones: ['us-east-1a'] }),
      anOffer({ price: 1, zones: ['us-east-1a', 'us-east-1b'] }),
    ];
    const decision = placed(
      { fleets: [CLOUD], volumes: [mountable(zoned)], gangs: [gang()] },
      offers,
    );
    const [intent] = changesOf(decision, 'intent.insert');
    expect(intent?.intent.payload).toMatchObject({
      offers: [{ price: 1, availability_zones: ['us-east-1b'] }],
    });
  });

  it('gets no other instance while it is attached', () => {
    const one = anInstance(CLOUD, 0, anOffer(), { status: 'busy', busyBlocks: 1 });
    const instances = [one, anInstance(CLOUD, 1)];
    const world = { fleets: [CLOUD], instances, volumes: [attachedTo('cloud-0')], gangs: [gang()] };
    expect(refusal(world)).toContain('cannot be mounted while it is attached to cloud-0');
    const idle = { ...world, instances: [{ ...one, status: 'idle' as const, busyBlocks: 0 }] };
    expect(jobChange(placed(idle), 'job-a-0-0')).toMatchObject({ instanceId: 'cloud-0' });
  });

  it('is not promised to two instances in one pass', () => {
    const instances = [anInstance(CLOUD, 0), anInstance(CLOUD, 1)];
    const gangs = [gang('a'), gang('b')];
    const decision = placed({
      fleets: [CLOUD],
      instances,
      volumes: [mountable(volumeRecord())],
      gangs,
    });
    expect(changesOf(decision, 'volume-use.insert')).toHaveLength(1);
  });
});

describe('a volume that cannot be mounted anywhere', () => {
  const problemOf = (volumes: readonly MountableVolume[], configuration: object = {}) => {
    const world = { fleets: [LAB], instances: [host(1)], volumes };
    const decision = placed({ ...world, gangs: [gang('a', configuration)] });
    return jobChange(decision, 'job-a-0-0')?.refusal;
  };

  it.each([
    ['missing', []],
    ['deleting', [mountable({ ...ON_LAB_1.volume, toBeDeleted: true })]],
    ['not_active', [mountable({ ...ON_LAB_1.volume, status: 'failed' })]],
    ['lost', [mountable(ON_LAB_1.volume, { missing: { since: 0, checkedAt: 60_000_000 } })]],
    ['broken', [mountable(ON_LAB_1.volume, { failed: true })]],
  ] as const)('is the reason: %s', (problem, volumes) => {
    expect(problemOf(volumes)).toEqual({ kind: 'volume', name: 'data', problem });
  });

  it('may be one that several nodes need at once', () => {
    const volumes = [mountable(volumeRecord())];
    expect(problemOf(volumes, { nodes: 2 })).toEqual({
      ...{ kind: 'volume', name: 'data', problem: 'one_instance' },
    });
  });

  it('is noticed by a gang that waits already', () => {
    const run = aRun('a', { volumes: ['data:/data'] });
    const waiting = aGang(run, 0, { refusal: { kind: 'no-fleets' }, waitingSince: 1 });
    const decision = placed({ fleets: [LAB], volumes: [], gangs: [waiting] });
    expect(jobChange(decision, 'job-a-0-0')?.refusal).toMatchObject({ kind: 'volume' });
    expect(decision.signals).toContainEqual({ kind: 'run', id: 'run-a' });
  });
});

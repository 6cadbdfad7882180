/** Builders of records and snapshots for the tests of this folder. Ids are readable words. */
import { acceptedJob, type JobState } from '@dstack/contract/agent';
import type { FleetSpec, JobSpec, RunSpec } from '@dstack/contract/wire';
import type {
  EngineSettings,
  FleetRecord,
  HostRecord,
  InstanceRecord,
  JobRecord,
  JobReport,
  Offer,
  RunRecord,
} from '../../model/index.ts';
import {
  fleetRecord,
  instanceRecord,
  jobRecord,
  anOffer as machineOffer,
  provisioningDataFor,
  runRecord,
  T0,
} from '../../testing/records.ts';

export { provisioningDataFor, T0 };

export const SETTINGS: EngineSettings = {
  unreachableTolerance: null,
  maxOffersTried: 25,
  jobNetworkMode: 1,
  localMaxInstances: 4,
  gatewayMoveSeconds: 1800,
};

/** Offers of this folder are of a small machine without GPUs. */
export function anOffer(patch: Partial<Offer> = {}): Offer {
  return { ...machineOffer({ name: 'm5.xlarge', cpus: 4, memoryGb: 16 }), ...patch };
}

export type Configuration = Partial<RunSpec['configuration']> & Record<string, unknown>;

export function aRunSpec(configuration: Configuration = {}): RunSpec {
  return {
    run_name: 'train',
    configuration: { type: 'task', commands: ['echo hi'], ...configuration },
    profile: null,
  } as unknown as RunSpec;
}

export function aRun(patch: Partial<RunRecord> = {}): RunRecord {
  return runRecord({ spec: aRunSpec(), ...patch });
}

export function aJobSpec(patch: Partial<JobSpec> & Record<string, unknown> = {}): JobSpec {
  return {
    replica_num: 0,
    job_num: 0,
    job_name: `train-${patch.job_num ?? 0}-${patch.replica_num ?? 0}`,
    jobs_per_replica: 1,
    replica_group: '0',
    commands: ['echo hi'],
    env: {},
    image_name: 'dstackai/base',
    max_duration: null,
    stop_duration: 300,
    retry: null,
    probes: [],
    requirements: { resources: { cpu: { arch: 'x86', count: { min: 2, max: null } } } },
    ...patch,
  } as unknown as JobSpec;
}

export function aJob(patch: Partial<JobRecord> = {}): JobRecord {
  const { jobNum = 0, replicaNum = 0 } = patch;
  const spec = patch.spec ?? aJobSpec({ job_num: jobNum, replica_num: replicaNum });
  return jobRecord({ ...patch, spec }, aRun());
}

/** The job as placement leaves it on an idle instance. */
export function placedJob(instance: InstanceRecord, patch: Partial<JobRecord> = {}): JobRecord {
  return aJob({
    status: 'provisioning',
    instanceId: instance.id,
    claimedBlocks: 1,
    provisioningData: instance.provisioningData,
    provisionedAt: T0,
    runtimeData: {
      network_mode: 'bridge',
      gpu: null,
      cpu: null,
      memory: null,
      ports: null,
      volume_names: null,
      offer: instance.offer,
      working_dir: null,
      username: null,
    },
    ...patch,
  });
}

export function anInstance(patch: Partial<InstanceRecord> = {}): InstanceRecord {
  return instanceRecord({ offer: anOffer(), ...patch });
}

/** A machine that is being created for a job. */
export function aPlaceholder(job: string, patch: Partial<InstanceRecord> = {}): InstanceRecord {
  return anInstance({
    status: 'pending',
    provisioningJobId: job,
    offer: null,
    provisioningData: null,
    hostId: null,
    busyBlocks: 1,
    startedAt: null,
    ...patch,
  });
}

export function aHost(patch: Partial<HostRecord> = {}): HostRecord {
  return {
    id: 'inst-1',
    connected: true,
    since: T0,
    facts: null,
    executor: 'docker',
    error: null,
    failed: false,
    ...patch,
  };
}

export function aReport(
  jobId: string,
  state: Partial<JobState>,
  patch: Partial<JobReport> = {},
): JobReport {
  return {
    jobId,
    hostId: 'inst-1',
    state: { ...acceptedJob(jobId), ...state },
    receivedAt: T0,
    pull: null,
    ...patch,
  };
}

export function aFleet(
  configuration: Partial<FleetSpec['configuration']> & Record<string, unknown> = {},
  patch: Partial<FleetRecord> = {},
): FleetRecord {
  const spec = {
    configuration: { type: 'fleet', name: 'cloud', nodes: { min: 0, max: null }, ...configuration },
    profile: null,
  };
  return fleetRecord({ spec: spec as unknown as FleetSpec, lastConsolidatedAt: T0, ...patch });
}

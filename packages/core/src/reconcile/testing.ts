/** Builders of records and snapshots for the tests of this folder. Ids are readable words. */
import type { JobState } from '@dstack/contract/agent';
import type { FleetSpec, JobSpec, RunSpec } from '@dstack/contract/wire';
import type {
  EngineSettings,
  FleetRecord,
  HostRecord,
  InstanceRecord,
  JobRecord,
  JobReport,
  Offer,
  ProvisioningData,
  RunRecord,
  Timestamp,
} from '../model/index.ts';
import { SECOND } from '../model/records.ts';
import { newSubmissions } from './new-submission.ts';

/** 2026-01-01T00:00:00Z, µs. */
export const T0: Timestamp = 1_767_225_600 * SECOND;

export const SETTINGS: EngineSettings = {
  unreachableTolerance: null,
  maxOffersTried: 25,
  jobNetworkMode: 1,
  localMaxInstances: 4,
};

export function anOffer(patch: Partial<Offer> = {}): Offer {
  return {
    backend: 'aws',
    region: 'us-east-1',
    price: 1,
    instance: {
      name: 'm5.xlarge',
      resources: {
        cpus: 4,
        memory_mib: 16384,
        gpus: [],
        spot: false,
        disk: { size_mib: 102400 },
        cpu_arch: 'x86',
        description: '',
      },
    },
    availability: 'available',
    availability_zones: null,
    backend_data: {},
    instance_runtime: 'shim',
    blocks: 1,
    total_blocks: 1,
    ...patch,
  } as Offer;
}

export function aMachine(offer: Offer = anOffer()): ProvisioningData {
  return {
    backend: offer.backend,
    instance_type: offer.instance,
    instance_id: 'i-1',
    hostname: '10.0.0.1',
    internal_ip: '10.0.0.1',
    region: offer.region,
    price: offer.price,
    username: 'ubuntu',
    ssh_port: 22,
    dockerized: true,
  } as unknown as ProvisioningData;
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
  return {
    id: 'run-1',
    projectId: 'project-1',
    userId: 'user-1',
    name: 'train',
    spec: aRunSpec(),
    status: 'submitted',
    terminationReason: null,
    priority: 0,
    deploymentNum: 0,
    desiredReplicas: { '0': 1 },
    resubmissionAttempt: 0,
    fleetId: null,
    gatewayId: null,
    serviceSpec: null,
    submittedAt: T0,
    lastProcessedAt: T0,
    nextTriggeredAt: null,
    nextPassAt: null,
    deleted: false,
    version: 1,
    ...patch,
  };
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
  const spec =
    patch.spec ?? aJobSpec({ job_num: patch.jobNum ?? 0, replica_num: patch.replicaNum ?? 0 });
  const place = { newId: () => 'job-1', now: T0, replicaNum: spec.replica_num };
  const [job] = newSubmissions(aRun(), [spec], place);
  return { ...(job as JobRecord), version: 1, ...patch };
}

/** What placement makes of a job that gets an idle instance. */
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
  const offer = patch.offer === undefined ? anOffer() : patch.offer;
  return {
    id: 'inst-1',
    projectId: 'project-1',
    fleetId: 'fleet-1',
    instanceNum: 0,
    name: 'cloud-0',
    backend: offer?.backend ?? null,
    region: offer?.region ?? '',
    price: offer?.price ?? 0,
    status: 'idle',
    unreachable: false,
    health: 'healthy',
    provisioningJobId: null,
    offer,
    provisioningData: offer === null ? null : aMachine(offer),
    totalBlocks: 1,
    busyBlocks: 0,
    requirements: null,
    profile: null,
    idleSeconds: 300,
    handle: offer === null ? null : { id: 'i-1', data: null },
    hostId: patch.id ?? 'inst-1',
    hostFacts: null,
    terminationReason: null,
    terminationMessage: null,
    createdAt: T0,
    startedAt: T0,
    finishedAt: null,
    deletedAt: null,
    lastJobFinishedAt: null,
    statusChangedAt: T0,
    unreachableSince: null,
    nextPassAt: null,
    deleted: false,
    version: 1,
    ...patch,
  };
}

/** A machine that is still being made for a job. */
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
    state: {
      id: jobId,
      seq: 1,
      phase: 'accepted',
      ssh_port: null,
      working_dir: null,
      username: null,
      stop_stage: null,
      exit: null,
      log_end: 0,
      container_ip: null,
      ...state,
    },
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
  return {
    id: 'fleet-1',
    projectId: 'project-1',
    name: 'cloud',
    spec: spec as unknown as FleetSpec,
    status: 'active',
    statusMessage: null,
    createdAt: T0,
    consolidationAttempt: 0,
    lastConsolidatedAt: T0,
    masterInstanceId: null,
    nextPassAt: null,
    deleted: false,
    version: 1,
    ...patch,
  };
}

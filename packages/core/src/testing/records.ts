/**
 * Complete records for the tests of all packages, with as few facts as possible. A test sets the
 * fields that it is about; unset times are the time at which the record was made.
 */
import type { JobSpec } from '@dstack/contract/wire';
import type {
  BackendName,
  FleetRecord,
  GroupRecord,
  InstanceRecord,
  JobRecord,
  Offer,
  ProvisioningData,
  RunRecord,
  Timestamp,
  VolumeRecord,
} from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { newSubmissions } from '../reconcile/run/new-submission.ts';

/** 2026-01-01T00:00:00Z, µs. */
export const T0: Timestamp = 1_767_225_600 * SECOND;

export interface OfferFields {
  readonly backend?: BackendName;
  readonly name?: string;
  readonly region?: string;
  readonly cpus?: number;
  readonly memoryGb?: number;
  readonly gpus?: number;
  readonly gpu?: string;
  readonly price?: number;
  readonly spot?: boolean;
  readonly availability?: Offer['availability'];
  readonly zones?: string[];
}

export function anOffer(machine: OfferFields = {}): Offer {
  const gpu = { name: machine.gpu ?? 'H100', memory_mib: 81920, vendor: 'nvidia' as const };
  return {
    backend: machine.backend ?? 'aws',
    region: machine.region ?? 'us-east-1',
    price: machine.price ?? 1,
    backend_data: {},
    availability: machine.availability ?? 'available',
    availability_zones: machine.zones ?? null,
    instance_runtime: 'shim',
    blocks: 1,
    total_blocks: 1,
    instance: {
      name: machine.name ?? 'vm',
      resources: {
        cpus: machine.cpus ?? 8,
        memory_mib: (machine.memoryGb ?? 32) * 1024,
        gpus: Array.from({ length: machine.gpus ?? 0 }, () => gpu),
        spot: machine.spot ?? false,
        disk: { size_mib: machine.backend === 'local' ? 0 : 102400 },
        cpu_arch: 'x86',
        description: '',
      },
    },
  };
}

/** The machine that was created from an offer. */
export function provisioningDataFor(
  offer: Offer = anOffer(),
  hostname = '10.0.0.1',
): ProvisioningData {
  return {
    backend: offer.backend,
    base_backend: null,
    instance_type: offer.instance,
    instance_id: 'i-1',
    hostname,
    internal_ip: hostname,
    public_ip_enabled: true,
    instance_network: null,
    region: offer.region,
    availability_zone: null,
    reservation: null,
    price: offer.price,
    username: 'ubuntu',
    ssh_port: 22,
    dockerized: true,
    ssh_proxy: null,
    backend_data: null,
    gpu_driver: null,
  };
}

export function runRecord(part: Partial<RunRecord> = {}): RunRecord {
  const { name = 'train', submittedAt = T0 } = part;
  const spec = { run_name: name, repo_id: 'repo', configuration: { type: 'task' } };
  return {
    id: 'run-1',
    projectId: 'project-1',
    userId: 'user-1',
    name,
    spec: spec as RunRecord['spec'],
    status: 'submitted',
    terminationReason: null,
    priority: 0,
    deploymentNum: 0,
    desiredReplicas: { '0': 1 },
    resubmissionAttempt: 0,
    fleetId: null,
    gatewayId: null,
    serviceSpec: null,
    submittedAt,
    dependencyState: null,
    lastOutcome: null,
    hold: null,
    ...{ arrayId: null, arrayIndex: null, arraySince: null, arraySeen: null },
    eligibleAt: null,
    lastProcessedAt: submittedAt,
    nextTriggeredAt: null,
    rollout: null,
    autoscaling: null,
    nextPassAt: null,
    deleted: false,
    version: 1,
    ...part,
  };
}

/** The first submission of a job. */
export function jobRecord(part: Partial<JobRecord> = {}, run: RunRecord = runRecord()): JobRecord {
  const bare = { job_num: 0, replica_num: 0, job_name: 'train-0-0', requirements: {} };
  const spec = { ...bare, ...part.spec } as unknown as JobSpec;
  const place = { newId: () => 'job-1', now: run.submittedAt, replicaNum: spec.replica_num };
  const [job] = newSubmissions(run, [spec], place);
  return { ...(job as JobRecord), version: 1, ...part };
}

export function fleetRecord(part: Partial<FleetRecord> = {}): FleetRecord {
  const { name = 'cloud', createdAt = T0 } = part;
  const spec = { configuration: { type: 'fleet', name }, profile: null };
  return {
    id: 'fleet-1',
    projectId: 'project-1',
    name,
    spec: spec as unknown as FleetRecord['spec'],
    status: 'active',
    statusMessage: null,
    createdAt,
    consolidationAttempt: 0,
    lastConsolidatedAt: null,
    masterInstanceId: null,
    maintenance: null,
    nextPassAt: null,
    deleted: false,
    version: 1,
    ...part,
  };
}

/** An idle instance; the machine is that of its offer, if it has one. */
export function instanceRecord(part: Partial<InstanceRecord> = {}): InstanceRecord {
  const { id = 'inst-1', offer = null, createdAt = T0 } = part;
  return {
    id,
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
    healthMessage: null,
    hostTrouble: null,
    scheduling: null,
    provisioningJobId: null,
    offer,
    provisioningData: offer && provisioningDataFor(offer),
    totalBlocks: 1,
    busyBlocks: 0,
    requirements: null,
    profile: null,
    idleSeconds: 300,
    groupId: null,
    handle: offer && { id: 'i-1', data: null },
    hostId: id,
    address: null,
    hostFacts: null,
    terminationReason: null,
    terminationMessage: null,
    createdAt,
    pricedSince: null,
    startedAt: createdAt,
    finishedAt: null,
    deletedAt: null,
    lastJobFinishedAt: null,
    statusChangedAt: createdAt,
    unreachableSince: null,
    nextPassAt: null,
    deleted: false,
    version: 1,
    ...part,
  };
}

/** An existing placement group at the site of `anOffer`. */
export function groupRecord(part: Partial<GroupRecord> = {}): GroupRecord {
  const { createdAt = T0 } = part;
  return {
    ...{ id: 'group-1', projectId: 'project-1', fleetId: 'fleet-1', kind: 'placement' },
    ...{ name: 'main-cloud-group-1', backend: 'aws', region: 'us-east-1', status: 'ready' },
    ...{ statusMessage: null, handle: { id: 'pg-1', data: null }, offer: null, memberIds: [] },
    ...{ createdAt, statusChangedAt: createdAt, nextPassAt: null, deleted: false, version: 1 },
    ...part,
  };
}

/** An active volume of a cloud. */
export function volumeRecord(part: Partial<VolumeRecord> = {}): VolumeRecord {
  const name = part.name ?? 'data';
  const createdAt = part.createdAt ?? T0;
  return {
    ...{ id: 'volume', projectId: 'project-1', userId: 'user-1', name, backend: 'aws' },
    configuration: {
      ...{ type: 'volume', name, backend: 'aws', region: 'us-east-1', size: 100 },
      ...{ availability_zone: null, volume_id: null, auto_cleanup_duration: null, tags: null },
    } as VolumeRecord['configuration'],
    ...{ external: false, status: 'active', statusMessage: null, provisioningData: null },
    ...{ handle: { id: 'vol-1', region: 'us-east-1', data: null }, fleetId: null, hostId: null },
    ...{ shared: false, statusChangedAt: createdAt, createdAt, lastProcessedAt: createdAt },
    ...{ lastJobProcessedAt: null, toBeDeleted: false, deleted: false, deletedAt: null },
    ...{ nextPassAt: null, version: 1 },
    ...part,
  };
}

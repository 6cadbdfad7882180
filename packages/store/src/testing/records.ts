/** Records with the fewest facts that make sense; JSON parts hold what the test looks at only. */
import { randomUUID } from 'node:crypto';
import {
  type EventTarget,
  type FleetRecord,
  type InstanceRecord,
  type IntentRecord,
  type JobRecord,
  type NewEvent,
  newSubmissions,
  type RunRecord,
  type VolumeRecord,
} from '@dstack/core';
import type { NewProject } from '../projects/types.ts';
import type { NewUser } from '../users/types.ts';

export function userRecord(part: Partial<NewUser> = {}): NewUser {
  const id = randomUUID();
  return {
    id,
    name: `user-${id.slice(0, 8)}`,
    globalRole: 'user',
    email: null,
    active: true,
    sshPublicKey: 'ssh-rsa AAAA',
    createdAt: 1_000_000,
    token: `token-${id}`,
    sshPrivateKey: 'private',
    ...part,
  };
}

export function projectRecord(ownerId: string, part: Partial<NewProject> = {}): NewProject {
  const id = randomUUID();
  return {
    id,
    name: `project-${id.slice(0, 8)}`,
    ownerId,
    isPublic: false,
    templatesRepo: null,
    sshPublicKey: 'ssh-rsa BBBB',
    sshPrivateKey: 'project-private',
    createdAt: 1_000_000,
    ...part,
  };
}

type InProject = { readonly projectId: string };

export function runRecord(part: InProject & { userId: string } & Partial<RunRecord>): RunRecord {
  return {
    id: randomUUID(),
    name: 'train',
    spec: {
      run_name: part.name ?? 'train',
      repo_id: 'repo',
      configuration: { type: 'task' },
    } as RunRecord['spec'],
    status: 'submitted',
    terminationReason: null,
    priority: 0,
    deploymentNum: 0,
    desiredReplicas: { '0': 1 },
    resubmissionAttempt: 0,
    fleetId: null,
    gatewayId: null,
    serviceSpec: null,
    submittedAt: 1_000_000,
    lastProcessedAt: 1_000_000,
    nextTriggeredAt: null,
    nextPassAt: 1_000_000,
    deleted: false,
    version: 0,
    ...part,
  };
}

export function jobRecord(
  part: InProject & { readonly runId: string } & Partial<JobRecord>,
): JobRecord {
  const { projectId, runId } = part;
  const run = runRecord({ id: runId, projectId, userId: '' });
  const spec = { job_num: 0, job_name: 'train-0-0', requirements: {} } as JobRecord['spec'];
  const place = { newId: randomUUID, now: 1_000_000, replicaNum: 0 };
  const [job] = newSubmissions(run, [spec], place);
  return { ...(job as JobRecord), ...part };
}

export function fleetRecord(part: InProject & Partial<FleetRecord>): FleetRecord {
  return {
    id: randomUUID(),
    name: 'fleet',
    spec: { configuration: { name: part.name ?? 'fleet' } } as FleetRecord['spec'],
    status: 'active',
    statusMessage: null,
    createdAt: 1_000_000,
    consolidationAttempt: 0,
    lastConsolidatedAt: null,
    masterInstanceId: null,
    nextPassAt: null,
    deleted: false,
    version: 0,
    ...part,
  };
}

export function instanceRecord(
  part: InProject & { readonly fleetId: string } & Partial<InstanceRecord>,
): InstanceRecord {
  return {
    id: randomUUID(),
    instanceNum: 0,
    name: 'fleet-0',
    backend: 'local',
    region: 'local',
    price: 0.5,
    status: 'idle',
    unreachable: false,
    health: 'healthy',
    provisioningJobId: null,
    offer: null,
    provisioningData: null,
    totalBlocks: 1,
    busyBlocks: 0,
    requirements: null,
    profile: null,
    idleSeconds: null,
    handle: null,
    hostId: null,
    hostFacts: null,
    terminationReason: null,
    terminationMessage: null,
    createdAt: 1_000_000,
    startedAt: null,
    finishedAt: null,
    deletedAt: null,
    lastJobFinishedAt: null,
    statusChangedAt: 1_000_000,
    unreachableSince: null,
    nextPassAt: null,
    deleted: false,
    version: 0,
    ...part,
  };
}

export function intentRecord(subjectId: string, part: Partial<IntentRecord> = {}): IntentRecord {
  return {
    key: `job.start:${subjectId}:0`,
    kind: 'job.start',
    subjectId,
    attempt: 0,
    payload: { kind: 'job.start', hold: false },
    state: 'announced',
    result: null,
    error: null,
    createdAt: 1_000_000,
    updatedAt: 1_000_000,
    ...part,
  };
}

export function newEvent(message: string, ...targets: EventTarget[]): NewEvent {
  return { message, actorUserId: null, targets };
}

export function runTarget(run: RunRecord): EventTarget {
  return { type: 'run', id: run.id, name: run.name, projectId: run.projectId, parentId: null };
}

export function volumeRecord(
  { projectId, userId }: InProject & { readonly userId: string },
  part: Partial<VolumeRecord> = {},
): VolumeRecord {
  return {
    ...{ id: 'v1', projectId, userId, name: 'data', backend: 'aws' },
    configuration: { name: 'data' } as VolumeRecord['configuration'],
    ...{ external: false, status: 'submitted', statusMessage: null, provisioningData: null },
    ...{ handle: null, fleetId: null, hostId: null, shared: false, statusChangedAt: 1 },
    ...{ createdAt: 1, lastProcessedAt: 1, lastJobProcessedAt: null, toBeDeleted: false },
    ...{ deleted: false, deletedAt: null, nextPassAt: 1, version: 0 },
    ...part,
  };
}

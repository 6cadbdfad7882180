/** Records with as few facts as possible; JSON parts contain only what the test reads. */
import { randomUUID } from 'node:crypto';
import type {
  CapacityHints,
  EventActor,
  EventTargetRecord,
  FleetRecord,
  InstanceRecord,
  IntentRecord,
  JobRecord,
  NewEvent,
  RunMemory,
  RunRecord,
  VolumeRecord,
} from '@dstack/core';
import * as builders from '@dstack/core/testing';
import type { NewProject } from '../projects/types.ts';
import type { NewUser } from '../users/types.ts';

/** No job is over its log quota. */
export const NO_MEMORY: RunMemory = { overQuota: new Map() };

/** Every backend creates machines and signals its capacity. */
export const NO_HINTS: CapacityHints = { offersOnly: new Set(), hasPolledBackends: false };

const TIME = 1_000_000;

export function userRecord(part: Partial<NewUser> = {}): NewUser {
  const id = randomUUID();
  return {
    id,
    name: `user-${id.slice(0, 8)}`,
    globalRole: 'user',
    email: null,
    active: true,
    sshPublicKey: 'ssh-rsa AAAA',
    createdAt: TIME,
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
    createdAt: TIME,
    ...part,
  };
}

type InProject = { readonly projectId: string };

export function runRecord(part: InProject & { userId: string } & Partial<RunRecord>): RunRecord {
  return builders.runRecord({
    ...{ id: randomUUID(), submittedAt: TIME, nextPassAt: TIME, version: 0, ...part },
  });
}

export function jobRecord(
  part: InProject & { readonly runId: string } & Partial<JobRecord>,
): JobRecord {
  const run = runRecord({ id: part.runId, projectId: part.projectId, userId: '' });
  return builders.jobRecord({ id: randomUUID(), version: 0, ...part }, run);
}

export function fleetRecord(part: InProject & Partial<FleetRecord>): FleetRecord {
  return builders.fleetRecord({
    ...{ id: randomUUID(), name: 'fleet', createdAt: TIME, version: 0, ...part },
  });
}

export function instanceRecord(
  part: InProject & { readonly fleetId: string } & Partial<InstanceRecord>,
): InstanceRecord {
  return builders.instanceRecord({
    ...{ id: randomUUID(), name: 'fleet-0', backend: 'local', region: 'local', price: 0.5 },
    ...{ createdAt: TIME, startedAt: null, idleSeconds: null, hostId: null, version: 0, ...part },
  });
}

export function volumeRecord(
  { projectId, userId }: InProject & { readonly userId: string },
  part: Partial<VolumeRecord> = {},
): VolumeRecord {
  return builders.volumeRecord({
    ...{ id: 'v1', projectId, userId, status: 'submitted', handle: null },
    ...{ createdAt: 1, nextPassAt: 1, version: 0, ...part },
  });
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
    createdAt: TIME,
    updatedAt: TIME,
    ...part,
  };
}

/** With any text. */
export function newEvent(text: string, ...targets: EventTargetRecord[]): NewEvent {
  return { action: 'legacy', data: { text }, outcome: 'done', actor: null, targets };
}

export function actor(userId: string): EventActor {
  return { userId, token: null, address: null };
}

export function runTarget(run: RunRecord): EventTargetRecord {
  return { type: 'run', id: run.id, name: run.name, projectId: run.projectId, parentId: null };
}

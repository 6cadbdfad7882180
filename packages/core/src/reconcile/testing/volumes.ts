/** Volumes in memory: decisions are applied as the store would apply them. */

import { eventMessage } from '../../events/event-message.ts';
import { notAskedYet, observed } from '../../instances/index.ts';
import type {
  AttachmentRecord,
  Change,
  Decision,
  FleetRecord,
  InstanceRecord,
  IntentRecord,
  IntentResult,
  JobRecord,
  Signal,
  Timestamp,
  Unobserved,
  VolumeHost,
  VolumeObservation,
  VolumeObservationRecord,
  VolumeRecord,
  VolumeSnapshot,
  VolumeUse,
} from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';
import { volumeRecord } from '../../testing/records.ts';
import { unobservedUntil, withUnobserved } from '../../time/index.ts';
import { reconcileVolume } from '../volume/reconcile-volume.ts';
import { aJob, anInstance, SETTINGS, T0 } from './records.ts';

/** A directory of hosts of an SSH fleet, not created yet. */
export function aHostVolume(patch: Partial<VolumeRecord> = {}, zone?: string): VolumeRecord {
  const base = { ...volumeRecord().configuration, backend: 'kubernetes', region: 'ssh:gpus' };
  const configuration = { ...base, ...(zone && { availability_zone: zone }) };
  return volumeRecord({
    ...{ backend: 'remote', fleetId: 'fleet-1', status: 'submitted', handle: null },
    configuration: configuration as VolumeRecord['configuration'],
    ...patch,
  });
}

interface Start {
  readonly volume?: VolumeRecord;
  readonly fleet?: FleetRecord | null;
  readonly hosts?: readonly VolumeHost[];
  readonly instances?: readonly InstanceRecord[];
  readonly backendConfigured?: boolean;
}

export class VolumeWorld {
  now: Timestamp = T0;
  unobserved: readonly Unobserved[] = [];
  volume: VolumeRecord;
  fleet: FleetRecord | null;
  hosts: readonly VolumeHost[];
  backendConfigured: boolean;
  instances = new Map<string, InstanceRecord>();
  attachments = new Map<string, AttachmentRecord>();
  uses = new Map<string, VolumeUse>();
  intents = new Map<string, IntentRecord>();
  observation: VolumeObservationRecord | null = null;
  events: string[] = [];
  signals: Signal[] = [];
  alarms: string[] = [];
  /** The records that decisions relied on without writing them. */
  checks: Change[] = [];
  #ids = 0;

  constructor({ volume, fleet, hosts, instances, backendConfigured }: Start = {}) {
    this.volume = volume ?? volumeRecord();
    this.fleet = fleet ?? null;
    this.hosts = hosts ?? [];
    this.backendConfigured = backendConfigured ?? true;
    for (const one of instances ?? [anInstance()]) this.instances.set(one.id, one);
  }

  snapshot(): VolumeSnapshot {
    return {
      ...{ volume: this.volume, projectName: 'main', fleet: this.fleet, hosts: this.hosts },
      backendConfigured: this.backendConfigured,
      attachments: [...this.attachments.values()],
      uses: [...this.uses.values()],
      instances: [...this.instances.values()],
      observation: this.observation,
      intents: [...this.intents.values()],
    };
  }

  /** One pass; a second one changes nothing. */
  pass(): Decision {
    const newId = () => `attachment-${++this.#ids}`;
    const ctx = { now: this.now, unobserved: this.unobserved, settings: SETTINGS, newId };
    const decision = reconcileVolume(this.snapshot(), ctx);
    for (const change of decision.changes) this.#write(change);
    this.signals = [...decision.signals];
    this.alarms.push(...(decision.alarms ?? []));
    const again = reconcileVolume(this.snapshot(), ctx);
    if (again.changes.length > 0) throw new Error(`not settled: ${JSON.stringify(again.changes)}`);
    return decision;
  }

  #write(change: Change): void {
    switch (change.type) {
      case 'volume.update':
        this.volume = raise(this.volume, change);
        break;
      case 'attachment.insert':
        this.attachments.set(change.attachment.id, { ...change.attachment, version: 1 });
        break;
      case 'attachment.update': {
        const found = this.attachments.get(change.id);
        if (found) this.attachments.set(change.id, raise(found, change));
        break;
      }
      case 'attachment.delete':
        this.attachments.delete(change.id);
        break;
      case 'intent.insert':
        if (this.intents.has(change.intent.key)) throw new Error(`twice: ${change.intent.key}`);
        this.intents.set(change.intent.key, change.intent);
        break;
      case 'intent.cancel':
        this.#cancel(change.key);
        break;
      case 'event':
        this.events.push(eventMessage(change.event));
        break;
      case 'fleet.check':
      case 'instance.check':
        this.checks.push(change);
        break;
      default:
        throw new Error(`unexpected change ${change.type}`);
    }
  }

  #cancel(key: string): void {
    const intent = this.intents.get(key);
    if (intent?.state !== 'announced') return;
    this.intents.set(key, { ...intent, state: 'failed', error: 'cancelled', updatedAt: this.now });
  }

  // Events outside the server.

  later(seconds: number): this {
    this.now += seconds * SECOND;
    return this;
  }

  /** No server works for so long, or the clock is set by it. */
  jump(seconds: number): this {
    const from = Math.min(this.now, this.now + seconds * SECOND);
    this.later(seconds);
    const past = unobservedUntil(this.unobserved, this.now);
    this.unobserved = withUnobserved(past, { from, until: this.now });
    return this;
  }

  announced(): IntentRecord[] {
    return [...this.intents.values()].filter(({ state }) => state === 'announced');
  }

  /** Settles the only announced intent of that kind. */
  settle(kind: IntentRecord['kind'], result: IntentResult): this {
    const intent = this.announced().find((one) => one.kind === kind);
    if (!intent) throw new Error(`no ${kind} is announced`);
    return this.finish(intent, result);
  }

  finish(intent: IntentRecord, result: IntentResult): this {
    const state = result.kind === 'refused' ? 'failed' : 'done';
    this.intents.set(intent.key, { ...intent, state, result, updatedAt: this.now });
    return this;
  }

  refuse(kind: IntentRecord['kind'], message: string, reason = 'error'): this {
    return this.settle(kind, { kind: 'refused', reason, message });
  }

  observe(observation: VolumeObservation): this {
    const before = this.observation ?? { volumeId: this.volume.id, ...notAskedYet(this.now) };
    this.observation = observed<VolumeObservationRecord>(before, observation, {
      now: this.now,
      isSettled: false,
    });
    return this;
  }

  /** A job that mounts the volume is placed on an instance. */
  use(jobId = 'job-1', instanceId = 'inst-1', patch: Partial<JobRecord> = {}): this {
    const job = aJob({ id: jobId, status: 'provisioning', instanceId, ...patch });
    const use = { volumeId: this.volume.id, jobId, mountNum: 0, releasedAt: null };
    this.uses.set(jobId, { ...use, job, runName: 'train' });
    return this;
  }

  /** The process of the job has ended. */
  release(jobId = 'job-1', patch: Partial<JobRecord> = {}): this {
    const use = this.uses.get(jobId);
    if (!use) throw new Error(`no job ${jobId}`);
    const job = { ...use.job, status: 'terminating' as const, ...patch };
    this.uses.set(jobId, { ...use, job, releasedAt: this.now });
    return this;
  }

  /** The job is finished. */
  leave(jobId = 'job-1'): this {
    this.uses.delete(jobId);
    return this;
  }

  markForDeletion(): this {
    this.volume = { ...this.volume, toBeDeleted: true, version: this.volume.version + 1 };
    return this;
  }

  only(): AttachmentRecord {
    const [one, ...others] = this.attachments.values();
    if (!one || others.length > 0) throw new Error(`${this.attachments.size} attachments`);
    return one;
  }
}

function raise<R extends { version: number }>(row: R, change: { version: number; set: object }): R {
  if (row.version !== change.version) throw new Error('stale change');
  return { ...row, ...change.set, version: row.version + 1 };
}

export const READY: Extract<VolumeObservation, { readonly state: 'ready' }> = {
  state: 'ready',
  ...{ sizeGib: 100, usedGib: null, availabilityZone: null, price: 8, shared: false },
};

export function aVolumeHost(name: string, patch: Partial<VolumeHost> = {}): VolumeHost {
  const instance = anInstance({ id: name, name });
  const more = { connected: true, error: null, freeBytes: 1e12, ...patch };
  return { hostId: name, name, instance, ...more };
}

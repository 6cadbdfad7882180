/** A backend with one volume, and jobs that mount it, for stories with random events. */
import type { IntentRecord, IntentResult, VolumeIntentPayload } from '../../model/index.ts';
import { isAttached, isInstanceActive, isVolumeActive } from '../../status/index.ts';
import { anInstance } from './records.ts';
import { READY, type VolumeWorld } from './volumes.ts';

export const INSTANCES = ['inst-1', 'inst-2', 'inst-3'] as const;

/** Its calls may fail, or succeed with a lost answer: then the intent stays announced. */
export class VolumeBackend {
  readonly world: VolumeWorld;
  exists: boolean;
  /** Instances to which the backend has attached the volume. */
  readonly attached = new Set<string>();
  /** Jobs whose process runs, by their instance. */
  readonly running = new Map<string, string>();
  #jobs = 0;

  constructor(world: VolumeWorld) {
    this.world = world;
    this.exists = world.volume.handle !== null;
  }

  pass(): void {
    this.world.pass();
    this.#check();
  }

  carryOut(intent: IntentRecord, outcome: 'done' | 'refused' | 'lost'): void {
    // A repeated order returns the volume that exists already.
    const isFound = intent.kind === 'volume.create' && this.exists;
    if (outcome === 'refused' && !isFound) {
      this.world.finish(intent, refused('refused'));
      return;
    }
    const result = this.#effect(intent.payload as VolumeIntentPayload, intent.subjectId);
    if (outcome === 'done' && result) this.world.finish(intent, result);
    this.#check();
  }

  /** The effects of the server; see `effects/intents`. */
  #effect(payload: VolumeIntentPayload, subjectId: string): IntentResult | null {
    const { world, attached } = this;
    switch (payload.kind) {
      case 'volume.create':
        if (world.volume.toBeDeleted && !payload.begun) return refused('deleted');
        this.#amend(payload);
        this.exists = true;
        return { kind: 'volume.created', handle: { id: 'vol-1', region: 'eu', data: null } };
      case 'volume.delete':
        if (attached.size > 0) return refused('it is attached');
        this.exists = false;
        return { kind: 'ok' };
      case 'volume.attach': {
        if (world.attachments.get(subjectId)?.status !== 'attaching') return refused('not wanted');
        const isElsewhere = [...attached].some((id) => id !== payload.instanceId);
        if (isElsewhere && !world.volume.shared) return refused('it is attached elsewhere');
        if (!this.#isUp(payload.instanceId)) return refused('no such instance');
        attached.add(payload.instanceId);
        return { kind: 'volume.attached', device: null };
      }
      case 'volume.detach':
        attached.delete(payload.instanceId);
        return { kind: 'ok' };
      default:
        return null;
    }
  }

  #amend(payload: Extract<VolumeIntentPayload, { readonly kind: 'volume.create' }>): void {
    const { intents } = this.world;
    for (const [key, intent] of intents) {
      if (intent.payload === payload)
        intents.set(key, { ...intent, payload: { ...payload, begun: true } });
    }
  }

  observe(): void {
    if (this.world.volume.handle === null) return;
    this.world.observe(
      this.exists ? { ...READY, shared: this.world.volume.shared } : { state: 'missing' },
    );
  }

  /** Placement: an instance with the volume, or any if no other has it. */
  place(choice: number): void {
    const { world } = this;
    const { volume, uses, attachments } = world;
    if (!isVolumeActive(volume.status) || volume.toBeDeleted || volume.deleted) return;
    const holders = new Set([
      ...[...uses.values()].map(({ job }) => job.instanceId ?? ''),
      ...[...attachments.values()].map(({ instanceId }) => instanceId),
    ]);
    const free = INSTANCES.filter((id) => this.#isUp(id));
    const possible =
      volume.shared || holders.size === 0 ? free : free.filter((id) => holders.has(id));
    const id = possible[choice % Math.max(1, possible.length)];
    if (id) world.use(`job-${++this.#jobs}`, id);
  }

  start(): void {
    for (const [jobId, { job, releasedAt }] of this.world.uses) {
      const { instanceId } = job;
      const has = [...this.world.attachments.values()].some(
        (one) => one.instanceId === instanceId && isAttached(one.status),
      );
      if (has && instanceId && releasedAt === null) this.running.set(jobId, instanceId);
    }
    this.#check();
  }

  /** The process of a job has ended. */
  stop(jobId: string): void {
    this.running.delete(jobId);
    this.world.release(jobId);
  }

  /** A job whose process has ended is finished when the volume is detached from its instance. */
  finish(): void {
    for (const [jobId, { job, releasedAt }] of [...this.world.uses]) {
      const others = [...this.world.uses.values()].some(
        (one) => one.jobId !== jobId && one.job.instanceId === job.instanceId,
      );
      const holds = [...this.world.attachments.values()].some(
        ({ instanceId }) => instanceId === job.instanceId,
      );
      if (releasedAt !== null && (others || !holds)) this.world.leave(jobId);
    }
  }

  terminate(id: string): void {
    const instance = anInstance({ id, status: 'terminated', deleted: true });
    this.world.instances.set(id, instance);
    this.attached.delete(id);
    for (const [jobId, { job, releasedAt }] of this.world.uses) {
      if (job.instanceId !== id) continue;
      this.running.delete(jobId);
      if (releasedAt === null) this.world.release(jobId);
    }
  }

  /** Like the API: deleting a volume in use is refused. */
  requestDeletion(): void {
    const { uses, attachments, volume } = this.world;
    if (uses.size === 0 && attachments.size === 0 && !volume.deleted) this.world.markForDeletion();
  }

  #isUp(id: string): boolean {
    const instance = this.world.instances.get(id);
    return instance !== undefined && isInstanceActive(instance.status);
  }

  #check(): void {
    const { attached, running, world } = this;
    if (attached.size > 1 && !world.volume.shared) throw new Error('attached to two instances');
    for (const [jobId, instanceId] of running) {
      if (!attached.has(instanceId)) throw new Error(`${jobId} has lost its volume`);
      if (!this.exists) throw new Error(`the volume was deleted under ${jobId}`);
    }
  }
}

function refused(message: string): IntentResult {
  return { kind: 'refused', reason: 'error', message };
}

/** One pass over an instance. */
import type {
  DecisionContext,
  HostRecord,
  InstanceRecord,
  InstanceSnapshot,
  InstanceStatus,
  InstanceTerminationReason,
  Timestamp,
} from '../model/index.ts';
import { isInstancePending } from '../status/index.ts';
import { Draft } from './draft.ts';
import { moveInstance } from './moves.ts';

export class InstancePass {
  readonly snapshot: InstanceSnapshot;
  readonly ctx: DecisionContext;
  readonly draft: Draft;

  constructor(snapshot: InstanceSnapshot, ctx: DecisionContext) {
    this.snapshot = snapshot;
    this.ctx = ctx;
    const { instance, intents } = snapshot;
    this.draft = new Draft({ instances: [instance], intents }, ctx);
  }

  get now(): Timestamp {
    return this.ctx.now;
  }

  /** As it is now; as it was loaded once it has been deleted. */
  get instance(): InstanceRecord {
    return this.draft.instances.get(this.snapshot.instance.id) ?? this.snapshot.instance;
  }

  get deleted(): boolean {
    return this.draft.instances.get(this.snapshot.instance.id) === null;
  }

  get host(): HostRecord | null {
    return this.snapshot.host;
  }

  /** Unfinished jobs that claim it. */
  get hasJobs(): boolean {
    return this.snapshot.jobs.length > 0;
  }

  set(patch: Partial<InstanceRecord>): InstanceRecord {
    return this.draft.instances.set(this.instance, patch);
  }

  move(status: InstanceStatus, patch: Partial<InstanceRecord> = {}): InstanceRecord {
    const moved = moveInstance(this.draft, this.instance, status, patch);
    this.draft.signal('fleet', moved.fleetId);
    for (const job of this.snapshot.jobs) this.draft.signal('run', job.runId);
    return moved;
  }

  end(reason: InstanceTerminationReason, message: string | null = null): void {
    this.move('terminating', { terminationReason: reason, terminationMessage: message });
  }

  /**
   * It never became a machine. A placeholder goes without a trace, a planned one with a reason; what
   * is a machine after all is ended like one.
   */
  giveUp(reason: InstanceTerminationReason, message: string | null): void {
    if (!isInstancePending(this.instance.status)) {
      this.end(reason, message);
      return;
    }
    if (this.instance.provisioningJobId === null) {
      this.move('terminated', { terminationReason: reason, terminationMessage: message });
      return;
    }
    this.draft.instances.delete(this.instance);
    this.draft.signal('fleet', this.instance.fleetId);
  }
}

/** One pass over an instance. */
import { Draft } from '../../draft/draft.ts';
import { abandonPlanned, discardPlaceholder, terminateInstance } from '../../instances/index.ts';
import type {
  DecisionContext,
  HostRecord,
  InstanceRecord,
  InstanceSnapshot,
  InstanceTerminationReason,
  ObservationRecord,
  Timestamp,
} from '../../model/index.ts';
import { isInstancePending } from '../../status/index.ts';

export class InstancePass {
  readonly snapshot: InstanceSnapshot;
  readonly ctx: DecisionContext;
  readonly draft: Draft;

  constructor(snapshot: InstanceSnapshot, ctx: DecisionContext) {
    this.snapshot = snapshot;
    this.ctx = ctx;
    const { instance, intents, fleet, activeInFleet } = snapshot;
    const fleetUses = [{ fleet, active: activeInFleet }];
    this.draft = new Draft({ instances: [instance], intents, fleetUses }, ctx);
  }

  get now(): Timestamp {
    return this.ctx.now;
  }

  /** The present record; the loaded one if it was deleted. */
  get instance(): InstanceRecord {
    return this.draft.instances.get(this.snapshot.instance.id) ?? this.snapshot.instance;
  }

  get deleted(): boolean {
    return this.draft.instances.get(this.snapshot.instance.id) === null;
  }

  get host(): HostRecord | null {
    return this.snapshot.host;
  }

  get observation(): ObservationRecord | null {
    return this.snapshot.observation;
  }

  /** Unfinished jobs that claim it. */
  get hasJobs(): boolean {
    return this.snapshot.jobs.length > 0;
  }

  set(patch: Partial<InstanceRecord>): InstanceRecord {
    return this.draft.instances.set(this.instance, patch);
  }

  /** Ends the instance and signals the runs whose jobs are on it. */
  end(reason: InstanceTerminationReason, message: string | null = null): void {
    terminateInstance(this.draft, this.instance, reason, message);
    this.signalRuns();
  }

  signalRuns(): void {
    for (const job of this.snapshot.jobs) this.draft.signal('run', job.runId);
  }

  /**
   * Gives up the creation: deletes a placeholder, abandons a planned instance with the reason, and
   * terminates an instance that its backend has created after all.
   */
  giveUp(reason: InstanceTerminationReason, message: string | null): void {
    if (!isInstancePending(this.instance.status) || this.instance.handle !== null) {
      this.end(reason, message);
    } else if (this.instance.provisioningJobId === null) {
      abandonPlanned(this.draft, this.instance, reason, message);
      this.signalRuns();
    } else {
      discardPlaceholder(this.draft, this.instance);
    }
  }
}

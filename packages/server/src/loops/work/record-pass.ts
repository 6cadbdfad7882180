import { type Decision, type RunContext, type Timestamp, withPastTimes } from '@dstack/core';
import type { ScheduledKind } from '@dstack/store';
import type { KeyWork } from '../../queues/work-queue.ts';
import { applyDecision } from '../apply-decision.ts';
import type { WorkDeps, WorkDescriptor } from './descriptor.ts';

interface PassRecord {
  readonly id: string;
  readonly name: string;
  readonly nextPassAt: Timestamp | null;
}

/** The parts in which the passes of record kinds differ. */
export interface RecordPass<K extends ScheduledKind, S> {
  readonly kind: K;
  /** Passes at a time. */
  readonly concurrency: number;
  /** Reads one moment. Null: there is no such record. */
  readonly load: (deps: WorkDeps, id: string) => Promise<S | null>;
  /** The record that the pass is for. */
  readonly record: (snapshot: S) => PassRecord;
  readonly decide: (snapshot: S, context: RunContext) => Decision;
  /** Called after each pass that was not refused. */
  readonly onDone?: (deps: WorkDeps, id: string) => void;
}

/**
 * A pass: read one moment, decide, write guarded. Nothing outside the database happens in it, so
 * two servers that decide at the same time do no harm: one of them is refused.
 */
export function recordPass<K extends ScheduledKind, S extends object>(
  pass: RecordPass<K, S>,
): WorkDescriptor<K> {
  return {
    kind: pass.kind,
    queues: { [pass.kind]: pass.concurrency },
    lease: pass.kind,
    schedule: pass.kind,
    work: (deps) => workOf(pass, deps),
  };
}

function workOf<K extends ScheduledKind, S extends object>(
  pass: RecordPass<K, S>,
  deps: WorkDeps,
): KeyWork {
  return async (id) => {
    const loaded = await pass.load(deps, id);
    if (!loaded) return { ending: 'done' };
    const context = deps.context();
    const snapshot = withPastTimes(loaded, context);
    const { name, nextPassAt } = pass.record(snapshot);
    // An overdue record needs no alarm: this pass is for it.
    if (nextPassAt === null || nextPassAt > context.now) deps.arm(pass.kind, id, nextPassAt);
    const decision = pass.decide(snapshot, context);
    const ending = await applyDecision(deps, { [pass.kind]: name }, decision, context.now);
    if (ending.ending === 'done') pass.onDone?.(deps, id);
    return ending;
  };
}

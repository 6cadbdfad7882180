import type { Change, WorkKind } from '@dstack/core';
import type { WorkEnding } from './work-queue.ts';

/** Receives events of the loops, for metrics. Must neither throw nor take time. */
export interface LoopObserver {
  passEnded(kind: WorkKind, ending: WorkEnding['ending'], seconds: number): void;
  /** After the changes were written. */
  applied(changes: readonly Change[]): void;
}

import type { Timestamp } from '@dstack/core';
import type { Blobs, Store } from '@dstack/store';
import type { LogStore } from '../logs/log-store.ts';
import type { Logger } from '../process/logging.ts';
import type { RetentionPolicy } from './policy.ts';
import type { StrayLogs } from './stray-logs.ts';

export interface StepDeps {
  readonly store: Pick<Store, 'retention' | 'instances' | 'meta'>;
  readonly logs: Pick<LogStore, 'delete'>;
  readonly blobs: Pick<Blobs, 'delete'>;
  readonly strays: StrayLogs;
  readonly policy: RetentionPolicy;
  readonly log: Logger;
}

/** A piece of work of about `limit` rows. */
export interface RetentionStep {
  readonly name: string;
  /**
   * `upgrade`: waits until the pause after an upgrade has ended, and while the clock is not trusted;
   * `clock`: only the latter; `never`: deletes nothing for its age.
   */
  readonly pauses: 'upgrade' | 'clock' | 'never';
  readonly most: number;
  /**
   * Returns how much it has done; 0 = nothing is left. Ages are judged by `now`, whatever the clock shows
   * meanwhile.
   */
  run(limit: number, now: Timestamp): Promise<number>;
}

import { isRolloutOver, isRolloutRolledBack } from '@dstack/contract/status';
import type { Run } from '@dstack/contract/wire';
import type { Connection } from '../context.ts';
import { watchUntil } from './watch-until.ts';

/** Watches whether the update that was applied is rolled back, by its deadline or by a user. */
export class RollbackWatch {
  readonly #found = new AbortController();
  readonly #stopping = new AbortController();
  #run: Run | null = null;

  /** `applied`: the answer to `apply`. Without a rollout in progress there is nothing to watch. */
  constructor(applied: Run, connection: Connection) {
    const { rollout, run_spec } = applied;
    if (rollout === undefined || isRolloutOver(rollout.status)) return;
    // A rollback is a later deployment than the one that was applied.
    const isRolledBack = (run: Run): boolean =>
      run.rollout !== undefined &&
      isRolloutRolledBack(run.rollout.status) &&
      run.rollout.deployment_num > rollout.deployment_num;
    watchUntil(connection, run_spec.run_name ?? '', this.#stopping.signal, isRolledBack)
      .then((run) => {
        this.#run = run;
        this.#found.abort();
      })
      // The command watches the run beside this, and reports why that is not possible.
      .catch(() => undefined);
  }

  /** Aborted when the update has been rolled back. */
  get signal(): AbortSignal {
    return this.#found.signal;
  }

  /** The run after the rollback; null = the update has not been rolled back. */
  get run(): Run | null {
    return this.#run;
  }

  stop(): void {
    this.#stopping.abort();
  }
}

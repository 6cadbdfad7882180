import type { Instance, Overview, Run } from '@dstack/contract/wire';

/** A job that runs, with its newest measurements by name. */
export interface BusyJob {
  readonly run: Run;
  readonly job: Run['jobs'][number];
  readonly measured: Readonly<Record<string, number>>;
}

export interface TopState {
  readonly project: string;
  /** Null: the server is one of dstack 0.22.5. */
  readonly overview: Overview | null;
  readonly jobs: readonly BusyJob[];
  readonly instances: readonly Instance[];
}

/** The query of `logs/poll`; times in microseconds. */
export interface PollQuery {
  /** Exclusive. */
  readonly startTime: number | null;
  /** Exclusive when ascending, inclusive when descending, as in dstack 0.22.5. */
  readonly endTime: number | null;
  readonly descending: boolean;
  readonly nextToken: string | null;
  /** 0 to 1000. */
  readonly limit: number;
}

export interface PageEvent {
  readonly time: number;
  readonly text: string;
}

export interface LogPage {
  readonly events: readonly PageEvent[];
  /** Null = no more events at present. */
  readonly nextToken: string | null;
  /** Ascending: the offset in the raw output where the first event begins, or the next one will. */
  readonly offset?: number;
}

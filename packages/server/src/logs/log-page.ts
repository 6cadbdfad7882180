/** What `logs/poll` asks for; times in microseconds. */
export interface PollQuery {
  /** Exclusive. */
  readonly startTime: number | null;
  /** Exclusive when ascending, inclusive when descending, as dstack 0.22.5 has it. */
  readonly endTime: number | null;
  readonly descending: boolean;
  readonly nextToken: string | null;
  /** 0 to 1000. */
  readonly limit: number;
}

export interface LogEvent {
  readonly time: number;
  readonly text: string;
}

export interface LogPage {
  readonly events: readonly LogEvent[];
  /** Null = nothing more right now. */
  readonly nextToken: string | null;
  /** Ascending: where the first event begins in the raw output, or the next one will. */
  readonly offset?: number;
}

import type { Ref } from 'react';
import type { LogLine } from './line-reader.ts';
import type { Hit, Mark } from './log-search.ts';

/** The times beside lines; relative ones count from the first line. */
export const LINE_TIMES = ['off', 'local', 'utc', 'relative'] as const;
export type LineTimes = (typeof LINE_TIMES)[number];

export interface LogViewHandle {
  readonly scrollToLine: (id: number) => void;
  readonly scrollToEnd: () => void;
  /** The first line that is in the window. */
  readonly firstVisible: () => LogLine | null;
  readonly position: () => LogPosition;
}

/** The place in a log that the reader sees: its end, or this line at the top. */
export type LogPosition = { readonly kind: 'end' } | { readonly kind: 'line'; readonly id: number };

export interface LogViewProps {
  readonly label: string;
  readonly lines: readonly LogLine[];
  readonly wrap: boolean;
  readonly numbers: boolean;
  readonly times: LineTimes;
  readonly hits: readonly Hit[];
  /** The present one. */
  readonly hit: Hit | null;
  readonly marksOf: (line: LogLine) => readonly Mark[];
  /** A place of the hit map was chosen: the number of the hit. */
  readonly onHit: (index: number) => void;
  /** Loads what lies before the first line. */
  readonly onOlder: (() => void) | null;
  /** Loads what lies after the last line; null where lines arrive by themselves. */
  readonly onNewer: (() => void) | null;
  /** The line of a link; the log is shown from there on instead of from its end. */
  readonly marked: number | null;
  /** Where the reader was before the lines were drawn anew; null: it is drawn for the first time. */
  readonly position: LogPosition | null;
  /** The address of a line. */
  readonly linkOf: (line: LogLine) => string;
  /** The link of a line was chosen. */
  readonly onLink: (line: LogLine) => void;
  /** The end was chosen, while it may not be loaded. */
  readonly onEnd: () => void;
  /** The names of merged logs, in the order of their numbers; absent: the lines are of one log. */
  readonly names?: readonly string[] | undefined;
  readonly ref?: Ref<LogViewHandle>;
}

/** A place to write to: the parts of a stream that the command line needs. */
export interface Sink {
  write(data: string | Uint8Array): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  /** Whether its reader is behind; `drain` is told when it is not any more. */
  readonly writableNeedDrain?: boolean;
  once?(event: 'drain' | 'close', listener: () => void): unknown;
}

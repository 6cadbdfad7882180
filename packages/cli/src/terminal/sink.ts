/** The parts of an output stream that the command line needs. */
export interface Sink {
  write(data: string | Uint8Array): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  /** True while its reader is behind; `drain` is emitted once it has caught up. */
  readonly writableNeedDrain?: boolean;
  on?(event: 'resize', listener: () => void): unknown;
  off?(event: 'resize' | 'drain' | 'close', listener: () => void): unknown;
  once?(event: 'drain' | 'close', listener: () => void): unknown;
}

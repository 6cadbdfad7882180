/** A short text that the job finds at a path of its own. */
export interface SmallFile {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
  /** The text for a file that is there already; null = it stays as it is. */
  readonly over: (existing: string) => string | null;
}

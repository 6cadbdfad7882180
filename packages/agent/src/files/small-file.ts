/** A short text at a path of the job. */
export interface SmallFile {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
  /** The text for an existing file; null = it stays unchanged. */
  readonly over: (existing: string) => string | null;
}

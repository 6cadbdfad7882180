/** A finding. `path`: keys and indices joined by dots, empty = the whole document. Lines from 1. */
export interface ConfigurationWarning {
  readonly path: string;
  readonly line: number;
  readonly column: number;
  /** Completes a sentence that begins with the path: "must be …". */
  readonly message: string;
}

export interface ConfigurationError extends ConfigurationWarning {
  /** Kind of failure: `missing`, `extra_forbidden`, `enum`, `value_error`, … or `yaml`. */
  readonly type: string;
  /** What was probably meant, ready to be typed in place of what is there. */
  readonly suggestion?: string;
}

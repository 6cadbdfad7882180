/** A finding. `path`: keys and indices joined by dots, empty = the whole document. Lines from 1. */
export interface ConfigurationWarning {
  readonly path: string;
  readonly line: number;
  readonly column: number;
  /** Completes a sentence that begins with the path: "must be …". */
  readonly message: string;
  /** The server, or the command line, will refuse the configuration for it. */
  readonly isRefused?: boolean;
}

export interface ConfigurationError extends ConfigurationWarning {
  /** Kind of failure: `missing`, `extra_forbidden`, `enum`, `value_error`, … or `yaml`. */
  readonly type: string;
  /** The probable correction, ready to replace the value. */
  readonly suggestion?: string;
}

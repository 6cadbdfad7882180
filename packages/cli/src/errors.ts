/**
 * Exit codes: 0 done (also: declined at a question), 1 failed, 2 wrong usage (also: the input ended
 * at a question), 130 interrupted.
 */
export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

export interface CliErrorParts {
  /** One line: the cause. */
  readonly why?: string | undefined;
  /** One line: the exact next step. */
  readonly next?: string | undefined;
  readonly exitCode?: number;
  /** Lines printed as they are before `why` (an excerpt of a file). */
  readonly excerpt?: string | undefined;
  /** The cursor stands behind a question. */
  readonly blankLine?: boolean;
  readonly cause?: unknown;
}

/** A failure with what happened, why, and what to do next: all that is printed of it. */
export class CliError extends Error {
  override readonly name: string = 'CliError';
  readonly why: string | undefined;
  readonly next: string | undefined;
  readonly exitCode: number;
  readonly excerpt: string | undefined;
  readonly blankLine: boolean;

  constructor(what: string, parts: CliErrorParts = {}) {
    super(what, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.why = parts.why;
    this.next = parts.next;
    this.exitCode = parts.exitCode ?? EXIT.failed;
    this.excerpt = parts.excerpt;
    this.blankLine = parts.blankLine ?? false;
  }
}

/** The arguments make no sense together. */
export class UsageError extends CliError {
  override readonly name = 'UsageError';

  constructor(what: string, parts: Omit<CliErrorParts, 'exitCode'> = {}) {
    super(what, { ...parts, exitCode: EXIT.usage });
  }
}

/** Ctrl-C where the command has nothing better to do than to end. Nothing is printed of it. */
export class CancelledError extends CliError {
  override readonly name = 'CancelledError';

  constructor() {
    super('Cancelled by user', { exitCode: EXIT.interrupted });
  }
}

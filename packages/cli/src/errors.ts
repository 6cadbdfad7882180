/**
 * Exit codes: 0 done (also: declined at a question, detached), 1 failed, 2 wrong usage (also: the
 * input ended at a question), 3 not found, 4 not allowed, 5 no capacity, 130 interrupted (also: the
 * run was stopped). Commands that wait for the end of a run use the exit code of its program.
 */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  notAllowed: 4,
  noCapacity: 5,
  rolledBack: 6,
  interrupted: 130,
} as const;

/** Lines; or a function of the columns of the terminal, null without one. */
type Excerpt = string | ((width: number | null) => string);

export interface CliErrorParts {
  /** One line: the reason. */
  readonly why?: string | undefined;
  /** One line: the exact next step. */
  readonly next?: string | undefined;
  readonly exitCode?: number;
  /** Lines printed before `why` (an excerpt of a file); a function wraps them to a width itself. */
  readonly excerpt?: Excerpt | undefined;
  /** The cursor is behind a question. */
  readonly blankLine?: boolean;
  readonly cause?: unknown;
}

/** A failure as printed: what happened, why, and what to do next. */
export class CliError extends Error {
  override readonly name: string = 'CliError';
  readonly why: string | undefined;
  readonly next: string | undefined;
  readonly exitCode: number;
  readonly excerpt: Excerpt | undefined;
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

/** The arguments are not valid together. */
export class UsageError extends CliError {
  override readonly name = 'UsageError';

  constructor(what: string, parts: Omit<CliErrorParts, 'exitCode'> = {}) {
    super(what, { ...parts, exitCode: EXIT.usage });
  }
}

/** Ctrl-C in a command that does not handle it. Nothing is printed. */
export class CancelledError extends CliError {
  override readonly name = 'CancelledError';

  constructor() {
    super('Cancelled by user', { exitCode: EXIT.interrupted });
  }
}

import { plainText } from './plain-text.ts';

/**
 * Why a value was refused. The grammars return it in place of a result; callers check for it with
 * `instanceof Problem`.
 */
export class Problem {
  /**
   * Completes a sentence that begins with the key: "must be …", with the correction if there is
   * one.
   */
  readonly message: string;
  /** Kind of failure as named in the API: `value_error`, `int_parsing`, `enum`, … */
  readonly type: string;
  /** Limits and expectations that belong to the kind: `{ ge: 1 }`, `{ expected: … }`. */
  readonly ctx: Readonly<Record<string, unknown>> | undefined;
  /** The probable correction, ready to be typed. */
  readonly suggestion: string | undefined;
  /** The place inside the value, for grammars that read maps and lists. */
  readonly at: readonly PropertyKey[];

  constructor(message: string, more: ProblemDetails = {}) {
    this.message = message;
    this.type = more.type ?? 'value_error';
    this.ctx = more.ctx;
    this.suggestion = more.suggestion;
    this.at = more.at ?? [];
  }
}

export interface ProblemDetails {
  readonly type?: string;
  readonly ctx?: Readonly<Record<string, unknown>>;
  readonly suggestion?: string;
  readonly at?: readonly PropertyKey[];
}

/** Shows a value in a message: strings quoted in one line, long texts and collections cut. */
export function quote(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'string')
    return `'${inOneLine(value.length > 60 ? `${value.slice(0, 57)}...` : value)}'`;
  if (Array.isArray(value)) return 'a list';
  if (value instanceof Date) return 'a date';
  if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype)
    return 'a map';
  return String(value);
}

function inOneLine(text: string): string {
  return plainText(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t');
}

/** Parses bodies that `JsonScan` has checked. */
import { isUtf8 } from 'node:buffer';
import { malformedJson, type ValidationDetail } from '@dstack/contract/api';
import type { JsonExcess } from './json-scan.ts';
import { repeatedKey } from './repeated-key.ts';

/** The request does not match the schema of the endpoint: 422. */
export class UnprocessableError extends Error {
  override name = 'UnprocessableError';
  readonly detail: readonly ValidationDetail[];

  constructor(detail: readonly ValidationDetail[]) {
    super('request validation failed');
    this.detail = detail;
  }
}

const BYTE_ORDER_MARK = '\uFEFF';

/**
 * Undefined if the body is empty. `keys`: number of object keys that the scan has counted. A repeated
 * key is refused, because parsers disagree on its meaning.
 */
export function parseJson(raw: Buffer, keys: number): unknown {
  if (raw.length === 0) return undefined;
  if (!isUtf8(raw)) throw malformed('the body is not UTF-8');
  const text = raw.toString('utf8');
  if (text.startsWith(BYTE_ORDER_MARK)) throw malformed('the body begins with a byte order mark');
  if (text.trim() === '') return undefined;
  const value = parsed(text);
  if (countKeys(value) === keys) return value;
  const twice = repeatedKey(text);
  throw malformed(`the key ${JSON.stringify(twice?.slice(0, 100))} is repeated in one object`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const message = (error as SyntaxError).message;
    throw malformed(message, Number(/at position (\d+)/.exec(message)?.[1] ?? 0));
  }
}

/** Recursive: the scan has bounded the depth. */
function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + countKeys(item), 0);
  return Object.values(value).reduce((sum: number, item) => sum + 1 + countKeys(item), 0);
}

/** The error for JSON whose structure exceeds the limits. */
export function unreadableJson({ kind, limit }: JsonExcess): ValidationDetail {
  const message =
    kind === 'too-deep'
      ? `nested deeper than ${limit} levels`
      : `more than ${limit} values, keys and lists together`;
  return malformedJson(message, 0);
}

function malformed(message: string, position = 0): UnprocessableError {
  return new UnprocessableError([malformedJson(message, position)]);
}

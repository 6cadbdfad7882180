/** Findings of our schemas in the form of dstack 0.22.5's 422 answers. */
import type * as z from 'zod';
import { type DescribedIssue, describeIssues, tagOf, valueAt } from '../configuration/issue.ts';
import type { ValidationDetail } from './validation-detail.ts';

/** The most characters of refused values in one answer: each finding in a list repeats the list. */
const MOST_SHOWN = 64 * 1024;

/**
 * The findings about `input`, in the order of the schema. `from`: the part of the request that it
 * is.
 */
export function validationDetails(
  error: z.core.$ZodError,
  input: unknown,
  from: 'body' | 'query' = 'body',
): ValidationDetail[] {
  let room = MOST_SHOWN;
  const large = new Set<unknown>();
  const shown = (found: DescribedIssue) => {
    const value = inputAt(input, found);
    if (large.has(value)) return null;
    const size = sizeWithin(value, room);
    if (size > room) {
      large.add(value);
      return null;
    }
    room -= size;
    return value;
  };
  return describeIssues(error, input, 'last').map((found) => ({
    type: found.type,
    loc: [from, ...found.path.map(locElement)],
    msg: found.type === 'value_error' ? `Value error, ${found.message}` : sentence(found.message),
    input: shown(found),
    ...(found.ctx === undefined ? {} : { ctx: found.ctx }),
  }));
}

/** The refused value; for a missing key, the map that lacks it. */
function inputAt(input: unknown, found: DescribedIssue): unknown {
  const path = found.type === 'missing' ? found.path.slice(0, -1) : found.path;
  return valueAt(input, path) ?? null;
}

/** Approximate length of the value as JSON; stops counting beyond `limit`. */
function sizeWithin(value: unknown, limit: number): number {
  if (typeof value === 'string') return value.length + 2;
  if (typeof value !== 'object' || value === null) return 8;
  let size = 2;
  for (const key of Array.isArray(value) ? value.keys() : Object.keys(value)) {
    if (size > limit) break;
    const item = (value as Record<PropertyKey, unknown>)[key];
    size += String(key).length + 4 + sizeWithin(item, limit - size);
  }
  return size;
}

function locElement(element: PropertyKey): string | number {
  return tagOf(element) ?? (typeof element === 'number' ? element : String(element));
}

/** Our messages complete a sentence that begins with the key: "must be …". */
function sentence(message: string): string {
  return `Input ${message}`;
}

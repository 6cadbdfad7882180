/** Findings of our schemas as the 422 of dstack 0.22.5 tells them. */
import type * as z from 'zod';
import { describeIssue, tagOf, valueAt } from '../configuration/issue.ts';

/** One entry of a 422's `detail`. `loc` begins with `body` or `query`. */
export interface ValidationDetail {
  readonly type: string;
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly input: unknown;
  readonly ctx?: Readonly<Record<string, unknown>>;
}

/** What is wrong with `input`, in the order of the schema. `from`: where it stands in the request. */
export function validationDetails(
  error: z.core.$ZodError,
  input: unknown,
  from: 'body' | 'query' = 'body',
): ValidationDetail[] {
  return error.issues
    .flatMap((issue) => describeIssue(issue, input))
    .map((found) => ({
      type: found.type,
      loc: [from, ...found.path.map(locElement)],
      msg: found.type === 'value_error' ? `Value error, ${found.message}` : sentence(found.message),
      input: valueAt(input, found.path) ?? null,
      ...(found.ctx === undefined ? {} : { ctx: found.ctx }),
    }));
}

/** The answer to a body that is no JSON at all. */
export function malformedJson(message: string, position: number): ValidationDetail {
  return {
    type: 'json_invalid',
    loc: ['body', position],
    msg: 'JSON decode error',
    input: {},
    ctx: { error: message },
  };
}

/** The answer to a call that needs something and got nothing. */
export function missingDetail(...loc: readonly (string | number)[]): ValidationDetail {
  return { type: 'missing', loc, msg: 'Field required', input: null };
}

function locElement(element: PropertyKey): string | number {
  return tagOf(element) ?? (typeof element === 'number' ? element : String(element));
}

/** Our messages complete a sentence that begins with the key: "must be …". */
function sentence(message: string): string {
  return `Input ${message}`;
}

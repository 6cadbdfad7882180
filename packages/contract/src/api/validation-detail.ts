/** Entries of dstack 0.22.5's 422 answers; needs no schemas. */

/** One entry of a 422's `detail`. `loc` begins with `body` or `query`. */
export interface ValidationDetail {
  readonly type: string;
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly input: unknown;
  readonly ctx?: Readonly<Record<string, unknown>>;
}

/** The answer to a body that is not JSON. */
export function malformedJson(message: string, position: number): ValidationDetail {
  return {
    type: 'json_invalid',
    loc: ['body', position],
    msg: 'JSON decode error',
    input: {},
    ctx: { error: message },
  };
}

/** The answer to a call without the required body. */
export function missingDetail(...loc: readonly (string | number)[]): ValidationDetail {
  return { type: 'missing', loc, msg: 'Field required', input: null };
}

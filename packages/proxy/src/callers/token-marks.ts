/**
 * Tokens that operators have chosen, found wherever a request may have them. Users' tokens are found by their form, which
 * these need not have.
 */
import { hash } from 'node:crypto';
import { SERVICE_TOKEN_PREFIX } from '@dstack/contract/token-prefixes';

/**
 * All that gateways know of such a token: its length in bytes, and the first byte of its SHA-1. One of 256 other texts of that length
 * has the mark too, so the server is asked. A mark rules out 255 of 256 guesses and no more: it has no salt, so that the same
 * token always has the same one, however often a gateway gets it.
 */
export interface TokenMark {
  readonly length: number;
  readonly byte: number;
}

/** A shorter text is in requests by chance. */
const LEAST = 8;
/** A gateway with the mark of a shorter one could guess it: a server that others reach does not start with it. */
const LEAST_GUARDED = 16;
/** A longer text is no token of this server. */
const LONGEST = 256;

/** Tokens of users. */
const FORM = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The marks that gateways may get, which are not trusted with the tokens. */
export const marksOfGuarded = (tokens: readonly string[]): TokenMark[] =>
  marksOf(tokens).filter(({ length }) => length >= LEAST_GUARDED);

/** The marks of those tokens that are not found by their form. */
export function marksOf(tokens: readonly (string | null)[]): TokenMark[] {
  const chosen = tokens.filter((token) => token !== null && !FORM.test(token));
  return chosen.flatMap((token) => {
    if (token === null || token.includes(SERVICE_TOKEN_PREFIX)) return [];
    const length = Buffer.byteLength(token);
    return length < LEAST || length > LONGEST ? [] : [{ length, byte: byteOf(token) }];
  });
}

const byteOf = (text: string): number => hash('sha1', text, 'buffer')[0] ?? 0;

export class TokenMarks {
  readonly #marks: readonly TokenMark[];
  /** Bytes of the shortest token; no text is as long if there is none. */
  readonly shortest: number;

  constructor(marks: readonly TokenMark[]) {
    this.#marks = marks;
    this.shortest = Math.min(Number.POSITIVE_INFINITY, ...marks.map(({ length }) => length));
  }

  /** Whether a text may be one of the tokens. Most texts have another length. */
  mayBe(text: string): boolean {
    if (text.length > LONGEST || this.#marks.length === 0) return false;
    const length = Buffer.byteLength(text);
    const alike = this.#marks.filter((mark) => mark.length === length);
    if (alike.length === 0) return false;
    const byte = byteOf(text);
    return alike.some((mark) => mark.byte === byte);
  }
}

export const NO_MARKS = new TokenMarks([]);

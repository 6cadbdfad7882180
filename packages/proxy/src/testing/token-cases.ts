/**
 * Requests with a token that an operator has chosen, and without: one table for the workers and for nginx, which passes on
 * by itself only what has none.
 */

/** Without a form by which it would be found. */
export const CHOSEN = 'open sesame/2026%';

export interface TokenCase {
  readonly what: string;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  /** Without the `?`. */
  readonly query: string;
  readonly hasToken: boolean;
}

const encoded = encodeURIComponent(CHOSEN);
const withPlus = encoded.replaceAll('%20', '+');
const hasToken = true;

const header = (name: string, value: string) => ({
  ...{ what: `${name}: ${value}`, headers: [name, value], query: '' },
});
const query = (text: string) => ({ what: `?${text}`, headers: [], query: text });

export const TOKEN_CASES: readonly TokenCase[] = [
  ...[
    header('X-Anything', CHOSEN),
    header('X-Anything', `Bearer ${CHOSEN}`),
    header('X-Anything', `"${CHOSEN}"`),
    header('X-Anything', `'token: "${CHOSEN}",'`),
    header('X-Anything', `Bearer Bearer "${CHOSEN}"`),
    header('Cookie', `a=1; session=${encoded}; b=2`),
    header('Cookie', `session=${CHOSEN}`),
    header('Cookie', `theme="${CHOSEN}"`),
    header('Cookie', encoded),
    header('Referer', `https://x.test/a=b?c=d&e=${encoded}`),
    query(`a=1&q=${encoded}&b=2`),
    query(`q=${withPlus}`),
    query(`q=Bearer+${withPlus}`),
    query(encoded),
  ].map((one) => ({ ...one, hasToken })),
  ...[
    header('X-Anything', CHOSEN.slice(1)),
    header('X-Anything', `${CHOSEN}x`),
    header('X-Anything', CHOSEN.replace('o', 'b')),
    header('X-Anything', `a ${CHOSEN}`),
    header('Cookie', 'a=1; theme=dark'),
    header('Referer', 'https://x.test/a?b=c'),
    query('a=1&q=open+sesame&b=%2F'),
    query('open+sesame=2026'),
  ].map((one) => ({ ...one, hasToken: false })),
];

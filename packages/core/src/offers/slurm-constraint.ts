/**
 * `constraint` of Slurm: features of nodes with `&` and `|`, in brackets of either kind. What it means for
 * single nodes only; with counts (`a*2&b*4`) or both operators on one level it is not understood.
 */

/** True: the node may be used. Null: the expression is not understood. */
export function meetsConstraint(text: string, features: readonly string[]): boolean | null {
  const tokens = text.match(TOKEN) ?? [];
  if (tokens.join('') !== text || tokens.length > MAX_TOKENS) return null;
  const reader = { tokens, at: 0, features: new Set(features) };
  const meets = readLevel(reader);
  return reader.at === tokens.length ? meets : null;
}

const TOKEN = /[&|()[\]]|[\w.:@%+=/-]+/g;
const MAX_TOKENS = 200;
const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']' };

interface Reader {
  readonly tokens: readonly string[];
  readonly features: ReadonlySet<string>;
  at: number;
}

/** Terms with one operator between them. */
function readLevel(reader: Reader): boolean | null {
  const terms = [readTerm(reader)];
  let operator: string | null = null;
  while (['&', '|'].includes(reader.tokens[reader.at] ?? '')) {
    const next = reader.tokens[reader.at++] ?? null;
    if (operator !== null && operator !== next) return null;
    operator = next;
    terms.push(readTerm(reader));
  }
  if (terms.includes(null)) return null;
  return operator === '|' ? terms.includes(true) : !terms.includes(false);
}

function readTerm(reader: Reader): boolean | null {
  const token = reader.tokens[reader.at++];
  if (token === undefined) return null;
  const closing = CLOSING[token];
  if (closing === undefined) return /^\w/.test(token) ? reader.features.has(token) : null;
  const meets = readLevel(reader);
  return reader.tokens[reader.at++] === closing ? meets : null;
}

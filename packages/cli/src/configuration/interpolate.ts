import { CliError } from '../errors.ts';

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*$/;
const ANY_NAME = /^[A-Za-z_][A-Za-z0-9_.[\]]*$/;

/**
 * The server's later treatment of the text. `none`: the server leaves it as it is. `groups`: it removes only
 * the escapes of the namespace `groups`; `members`: those of `array` too. `all`: if a reference is left, it applies the same replacement to
 * all namespaces.
 */
export type LaterStep = 'none' | 'groups' | 'members' | 'all';

/**
 * Replaces `${{ namespace.name }}`, as dstack 0.22.5 does: `$$` means one `$` where the scan
 * meets it, text before a reference is taken as it is, and references to the namespaces in `skip` are
 * left for the server. Literal text that the server would read as an escape or a reference is
 * escaped.
 *
 * @param values by full name, e.g. `run.args`
 */
export function replaceReferences(
  text: string,
  values: Readonly<Record<string, string>>,
  { skip, later }: { readonly skip: readonly string[]; readonly later: LaterStep },
): string {
  const missing: string[] = [];
  const pieces = scan(text, (name, whole) => resolveName(name, whole, values, skip, missing));
  if (missing.length > 0) {
    throw new CliError(`Unknown name in \${{ }}: ${missing.join(', ')}`, {
      why: `in "${text}"`,
      next: missing.includes('run.args')
        ? 'pass the arguments after -- (dstack apply -f FILE -- ARGS)'
        : `known: ${Object.keys(values).join(', ') || 'nothing'}`,
    });
  }
  return joined(pieces, later);
}

/** A part of the result: text, or a reference that is left in place. */
interface Piece {
  readonly text: string;
  readonly isReference: boolean;
}

function scan(text: string, resolve: (name: string, whole: string) => Piece): Piece[] {
  const pieces: Piece[] = [];
  const literal = (part: string): void => void pieces.push({ text: part, isReference: false });
  let at = 0;
  for (;;) {
    const dollar = text.indexOf('$', at);
    if (dollar < 0) break;
    if (text[dollar + 1] === '$') {
      literal(`${text.slice(at, dollar)}$`);
      at = dollar + 2;
      continue;
    }
    const start = text.indexOf('${{', at);
    if (start < 0) break;
    literal(text.slice(at, start));
    const end = text.indexOf('}}', start);
    if (end < 0) throw new CliError(`No closing }} in "${text}"`);
    at = end + 2;
    pieces.push(resolve(text.slice(start + 3, end).trim(), text.slice(start, at)));
  }
  literal(text.slice(at));
  return pieces;
}

function joined(pieces: readonly Piece[], later: LaterStep): string {
  const plain = pieces.map(({ text }) => text).join('');
  if (later === 'groups') return escaped(pieces, /\$\{\{\s*groups\b/g);
  if (later === 'members') return escaped(pieces, /\$\{\{\s*(?:groups|array)\b/g);
  // The server replaces only in texts that contain `${{`, and then interprets every `$` in them.
  if (later === 'none' || !plain.includes('${{')) return plain;
  return pieces
    .map(({ text, isReference }) => (isReference ? text : text.replaceAll('$', '$$$$')))
    .join('');
}

/** Escapes literal text that looks like one of these references. */
function escaped(pieces: readonly Piece[], references: RegExp): string {
  let literal = '';
  let result = '';
  const flush = (): void => {
    result += literal.replace(references, '$$$&');
    literal = '';
  };
  for (const { text, isReference } of pieces) {
    if (!isReference) literal += text;
    else {
      flush();
      result += text;
    }
  }
  flush();
  return result;
}

function resolveName(
  name: string,
  whole: string,
  values: Readonly<Record<string, string>>,
  skip: readonly string[],
  missing: string[],
): Piece {
  const namespace = name.split(/[.[]/, 1)[0] ?? '';
  if (skip.includes(namespace) && ANY_NAME.test(name)) return { text: whole, isReference: true };
  if (!IDENTIFIER.test(name)) throw new CliError(`Illegal name in \${{ }}: "${name}"`);
  const value = values[name];
  if (value === undefined) missing.push(name);
  return { text: value ?? '', isReference: false };
}

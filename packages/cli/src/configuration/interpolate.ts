import { CliError } from '../errors.ts';

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*$/;
const ANY_NAME = /^[A-Za-z_][A-Za-z0-9_.[\]]*$/;

/**
 * Replaces `${{ namespace.name }}`, exactly as dstack 0.22.5 does: `$$` stands for one `$` where
 * the scan meets it, text before a reference is taken as it is, and references to the namespaces
 * in `skip` are left for the server.
 *
 * @param values by full name, e.g. `run.args`
 */
export function interpolate(
  text: string,
  values: Readonly<Record<string, string>>,
  skip: readonly string[],
): string {
  let output = '';
  let at = 0;
  const missing: string[] = [];
  while (at < text.length) {
    if (text[at] !== '$') {
      output += text[at];
      at += 1;
      continue;
    }
    if (text[at + 1] === '$') {
      output += '$';
      at += 2;
      continue;
    }
    const start = text.indexOf('${{', at);
    if (start < 0) {
      output += text.slice(at);
      break;
    }
    output += text.slice(at, start);
    const end = text.indexOf('}}', start);
    if (end < 0) throw new CliError(`No closing }} in "${text}"`);
    const name = text.slice(start + 3, end).trim();
    const whole = text.slice(start, end + 2);
    at = end + 2;
    output += resolveName(name, whole, values, skip, missing);
  }
  if (missing.length > 0) {
    throw new CliError(`Unknown name in \${{ }}: ${missing.join(', ')}`, {
      why: `in "${text}"`,
      next: missing.includes('run.args')
        ? 'pass the arguments behind -- (dstack apply -f FILE -- ARGS)'
        : `known: ${Object.keys(values).join(', ') || 'nothing'}`,
    });
  }
  return output;
}

function resolveName(
  name: string,
  whole: string,
  values: Readonly<Record<string, string>>,
  skip: readonly string[],
  missing: string[],
): string {
  const namespace = name.split(/[.[]/, 1)[0] ?? '';
  if (skip.includes(namespace) && ANY_NAME.test(name)) return whole;
  if (!IDENTIFIER.test(name)) throw new CliError(`Illegal name in \${{ }}: "${name}"`);
  const value = values[name];
  if (value !== undefined) return value;
  missing.push(name);
  return '';
}

/** Quotes words for a POSIX shell, as `shlex.join`. */
export function shellJoin(words: readonly string[]): string {
  return words
    .map((word) =>
      word !== '' && /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`,
    )
    .join(' ');
}

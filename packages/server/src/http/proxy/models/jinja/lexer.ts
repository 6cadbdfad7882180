/** A template cut into text, output expressions and statements, and those into words. */

export class TemplateError extends Error {
  override name = 'TemplateError';
}

export type Token =
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'open' | 'close'; readonly value: 'output' | 'statement' }
  | { readonly kind: 'name' | 'operator'; readonly value: string }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'number'; readonly value: number };

const TAG = /\{\{[-+]?|\{%[-+]?|\{#[-+]?/g;
const ENDS = { '{{': '}}', '{%': '%}', '{#': '#}' } as const;
const RAW = /^\{%[-+]?\s*raw\s*[-+]?%\}/;
const END_RAW = /\{%([-+]?)\s*endraw\s*([-+]?)%\}/;

const WORD =
  /\s*(?:([A-Za-z_]\w*)|(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(\*\*|\/\/|==|!=|<=|>=|[-+*/%~<>=|.,:()[\]{}]))/sy;

/** With `trim_blocks` and `lstrip_blocks`, as chat templates are written for. */
export function tokens(template: string): Token[] {
  const found: Token[] = [];
  let at = 0;
  let swallowed: 'nothing' | 'newline' | 'blanks' = 'nothing';
  const text = (end: number, tag: string): void => {
    let value = template.slice(at, end);
    if (swallowed === 'blanks') value = value.trimStart();
    const isAfterNewline = swallowed === 'newline' && /^\r?\n/.test(value);
    if (isAfterNewline) value = value.replace(/^\r?\n/, '');
    if (tag.endsWith('-')) value = value.trimEnd();
    else if (!tag.startsWith('{{') && !tag.endsWith('+')) {
      value = withoutIndent(value, at === 0 || isAfterNewline);
    }
    if (value !== '') found.push({ kind: 'text', value });
  };
  for (;;) {
    TAG.lastIndex = at;
    const tag = TAG.exec(template);
    if (!tag) break;
    text(tag.index, tag[0]);
    const kind = tag[0].slice(0, 2) as keyof typeof ENDS;
    const raw = RAW.exec(template.slice(tag.index));
    if (raw) {
      const start = tag.index + raw[0].length;
      const end = END_RAW.exec(template.slice(start));
      if (!end) throw new TemplateError('raw has no end');
      found.push({ kind: 'text', value: template.slice(start, start + end.index) });
      at = start + end.index + end[0].length;
      swallowed = end[2] === '-' ? 'blanks' : 'newline';
      continue;
    }
    const inner = tag.index + tag[0].length;
    const end = kind === '{#' ? commentEnd(template, inner) : words(template, inner, kind, found);
    at = end + ENDS[kind].length;
    swallowed = swallowedAfter(kind, template[end - 1]);
  }
  text(template.length, '{{');
  return found;
}

function swallowedAfter(kind: string, mark: string | undefined) {
  if (mark === '-') return 'blanks';
  return kind === '{{' || mark === '+' ? 'nothing' : 'newline';
}

/** Blanks between the beginning of a line and a statement. */
function withoutIndent(text: string, isStart: boolean): string {
  const line = text.lastIndexOf('\n') + 1;
  const isWhole = line > 0 || isStart;
  return isWhole && text.slice(line).trim() === '' ? text.slice(0, line) : text;
}

function commentEnd(template: string, from: number): number {
  const end = template.indexOf('#}', from);
  if (end < 0) throw new TemplateError('a comment has no end');
  return end;
}

/** Answers where the tag's closing mark is. */
function words(template: string, from: number, kind: '{{' | '{%', found: Token[]): number {
  const value = kind === '{{' ? 'output' : 'statement';
  const end = ENDS[kind];
  found.push({ kind: 'open', value });
  let at = from;
  let depth = 0;
  for (;;) {
    const blank = /\s*/y;
    blank.lastIndex = at;
    blank.exec(template);
    const next = blank.lastIndex;
    const signed = /[-+]/.test(template[next] ?? '') && template.startsWith(end, next + 1);
    if (depth === 0 && (signed || template.startsWith(end, next))) {
      found.push({ kind: 'close', value });
      return signed ? next + 1 : next;
    }
    WORD.lastIndex = at;
    const word = WORD.exec(template);
    if (!word) {
      throw new TemplateError(`cannot read ${JSON.stringify(template.slice(next, next + 20))}`);
    }
    at = WORD.lastIndex;
    const [, name, number, quoted, operator] = word;
    if (name !== undefined) found.push({ kind: 'name', value: name });
    else if (number !== undefined) found.push({ kind: 'number', value: Number(number) });
    else if (quoted !== undefined) found.push({ kind: 'string', value: unquoted(quoted) });
    else if (operator !== undefined) {
      if ('([{'.includes(operator)) depth += 1;
      if (')]}'.includes(operator)) depth -= 1;
      found.push({ kind: 'operator', value: operator });
    }
  }
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '0': '\0' };

function unquoted(text: string): string {
  return text
    .slice(1, -1)
    .replaceAll(/\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)/gs, (_, code: string) => {
      if (code.length > 1) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
      return ESCAPES[code] ?? (/['"\\\n]/.test(code) ? code.replace('\n', '') : `\\${code}`);
    });
}

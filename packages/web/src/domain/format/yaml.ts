/**
 * Plain data as YAML, in the style of configurations: block lists and maps, quotes only where needed. Null
 * values are left out, as the server fills in the absent ones.
 */
export function toYaml(value: unknown): string {
  return `${block(value, 0).trimStart()}\n`;
}

function block(value: unknown, indent: number): string {
  if (Array.isArray(value)) return list(value, indent);
  if (isMap(value)) return map(value, indent);
  return ` ${scalar(value, indent)}`;
}

function list(items: readonly unknown[], indent: number): string {
  if (items.length === 0) return ' []';
  const space = ' '.repeat(indent);
  return items
    .map((item) => {
      const text = block(item, indent + 2);
      const inner = text.startsWith('\n') ? text.slice(1 + indent + 2) : text.trimStart();
      return `\n${space}- ${inner}`;
    })
    .join('');
}

function map(value: Readonly<Record<string, unknown>>, indent: number): string {
  const entries = Object.entries(value).filter(([, item]) => item != null);
  if (entries.length === 0) return ' {}';
  const space = ' '.repeat(indent);
  return entries
    .map(([key, item]) => `\n${space}${plain(key)}:${block(item, indent + 2)}`)
    .join('');
}

function scalar(value: unknown, indent: number): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  return value.includes('\n') && !UNFIT.test(value) ? literal(value, indent) : plain(value);
}

/** Texts that a block of lines would change: indented at first, blanks at ends, control characters. */
const UNFIT = /^[ \t]|[^\S\n]\n|\r|[^\x20-\x7e\n\t\u00a0-\ud7ff\ue000-\ufffd]/;

/** A block of lines after `|`, which needs no quotes. */
function literal(value: string, indent: number): string {
  const space = ' '.repeat(Math.max(2, indent));
  const ends = value.endsWith('\n');
  const body = ends ? value.slice(0, -1) : value;
  if (body.endsWith('\n') || body === '') return JSON.stringify(value);
  const lines = body.split('\n').map((line) => (line === '' ? '' : space + line));
  return `|${ends ? '' : '-'}\n${lines.join('\n')}`;
}

/** Words that YAML 1.1 or 1.2 reads as something else. */
const WORDS = /^(?:true|false|yes|no|on|off|y|n|null|~|)$/i;
const NUMBER = /^[-+.]?\d/;
/** Ranges and sizes of configurations begin with a digit too, and are texts all the same. */
const RANGE = /^\d{1,15}(?:GB)?\.\.(?:\d{1,15}(?:GB)?)?$|^\d{1,15}GB$/;
const SAFE = /^[\w./@%+=,()^~-](?:[\w ./@%+=,()^~:$*&!?;<>|"'-]*[\w./@%+=,()^~$*&!?;<>|"'-])?$/;

/** Marks of YAML inside of a text of safe characters. */
const SPECIAL = /: |:$| #|^[-?] |^-$|^[%@]/;

function plain(value: string): string {
  const isSafe = SAFE.test(value) && !SPECIAL.test(value);
  const isNumber = NUMBER.test(value) && !RANGE.test(value);
  return isSafe && !WORDS.test(value) && !isNumber ? value : JSON.stringify(value);
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** Text with the marks of Markdown within a line. */
export type Inline =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'code'; readonly text: string }
  | { readonly kind: 'link'; readonly href: string; readonly inlines: readonly Inline[] }
  | { readonly kind: 'strong' | 'emphasis' | 'deleted'; readonly inlines: readonly Inline[] };

/** Marks inside of each other; deeper ones are text. */
const MOST_DEPTH = 6;
/** Between a mark and its end: what is longer is no mark, so that a text without ends is read quickly. */
const REACH = 2000;
/** Places at which a mark could end, and does not, before it is taken for text. */
const MOST_TRIES = 20;
/** Backticks around code. */
const MOST_BACKTICKS = 8;

/** The longest mark first, as `**` begins with `*`. */
const PAIRS = [
  ['**', 'strong'],
  ['__', 'strong'],
  ['~~', 'deleted'],
  ['*', 'emphasis'],
  ['_', 'emphasis'],
] as const;

const ESCAPED = '\\`*_{}[]()#+-.!|>~<';

export function inlinesOf(text: string, depth = 0): readonly Inline[] {
  const inlines: Inline[] = [];
  let plain = '';
  for (let at = 0; at < text.length; ) {
    const sign = text.charAt(at);
    if (sign === '\\' && ESCAPED.includes(text.charAt(at + 1)) && at + 1 < text.length) {
      plain += text.charAt(at + 1);
      at += 2;
      continue;
    }
    const found = inlineAt(text, at, depth);
    if (found === null) {
      plain += sign;
      at += 1;
      continue;
    }
    if (plain !== '') inlines.push({ kind: 'text', text: plain });
    plain = '';
    inlines.push(found.inline);
    at = found.next;
  }
  if (plain !== '') inlines.push({ kind: 'text', text: plain });
  return inlines;
}

interface Found {
  readonly inline: Inline;
  /** The character after it. */
  readonly next: number;
}

function inlineAt(text: string, at: number, depth: number): Found | null {
  switch (text.charAt(at)) {
    case '`':
      return codeAt(text, at);
    case '!':
      // An image of another server is not loaded: its name leads there.
      return text.charAt(at + 1) === '[' ? linkAt(text, at + 1, depth) : null;
    case '[':
      return linkAt(text, at, depth);
    case '<':
      return addressAt(text, at + 1, '>');
    case 'h':
      return isWordAt(text, at - 1) ? null : addressAt(text, at, null);
    case '*':
    case '_':
    case '~':
      return depth < MOST_DEPTH ? pairAt(text, at, depth) : null;
    default:
      return null;
  }
}

function codeAt(text: string, at: number): Found | null {
  let length = 1;
  while (length < MOST_BACKTICKS && text.charAt(at + length) === '`') length += 1;
  const fence = '`'.repeat(length);
  const end = indexWithin(text, fence, at + length);
  if (end < 0) return null;
  const content = text.slice(at + length, end);
  const inner = content.trim() === '' ? content : content.replace(/^ (.*) $/s, '$1');
  return { inline: { kind: 'code', text: inner }, next: end + length };
}

function linkAt(text: string, at: number, depth: number): Found | null {
  const middle = depth < MOST_DEPTH ? indexWithin(text, '](', at) : -1;
  const end = middle < 0 ? -1 : indexWithin(text, ')', middle);
  if (end < 0) return null;
  const label = text.slice(at + 1, middle);
  const [href = ''] = text
    .slice(middle + 2, end)
    .trim()
    .split(/\s/);
  if (label === '' || label.includes('[')) return null;
  return { inline: { kind: 'link', href, inlines: inlinesOf(label, depth + 1) }, next: end + 1 };
}

/** An address that is written as it is. */
function addressAt(text: string, at: number, close: string | null): Found | null {
  if (!text.startsWith('https://', at) && !text.startsWith('http://', at)) return null;
  let end = at;
  while (end < text.length && !/[\s<>"`]/.test(text.charAt(end))) end += 1;
  if (close !== null) {
    if (text.charAt(end) !== close) return null;
    const href = text.slice(at, end);
    return {
      inline: { kind: 'link', href, inlines: [{ kind: 'text', text: href }] },
      next: end + 1,
    };
  }
  // What ends a sentence, or surrounds the address, is no part of it.
  while (end > at && ".,;:!?)]}'*_".includes(text.charAt(end - 1))) end -= 1;
  const href = text.slice(at, end);
  return { inline: { kind: 'link', href, inlines: [{ kind: 'text', text: href }] }, next: end };
}

function pairAt(text: string, at: number, depth: number): Found | null {
  for (const [mark, kind] of PAIRS) {
    if (!text.startsWith(mark, at)) continue;
    const from = at + mark.length;
    // `a * b` and `snake_case` are no marks.
    if (/^\s?$/.test(text.charAt(from))) return null;
    if (mark.startsWith('_') && isWordAt(text, at - 1)) return null;
    const end = endOf(text, mark, from);
    if (end < 0) continue;
    const inlines = inlinesOf(text.slice(from, end), depth + 1);
    return { inline: { kind, inlines }, next: end + mark.length };
  }
  return null;
}

/** Where a mark ends: after a character, and not as a part of a longer mark. −1: nowhere. */
function endOf(text: string, mark: string, from: number): number {
  let end = indexWithin(text, mark, from);
  for (let tries = 0; end >= 0 && end - from <= REACH && tries < MOST_TRIES; tries += 1) {
    const isLonger = text.charAt(end + mark.length) === mark.charAt(0);
    // The last two of three belong to the outer mark.
    if (mark.length === 2 && isLonger) end += 1;
    const isSpaced = /\s/.test(text.charAt(end - 1));
    const isInWord = mark.startsWith('_') && isWordAt(text, end + mark.length);
    const isPart = mark.length === 1 && isLonger;
    if (end > from && !isSpaced && !isPart && !isInWord) return end;
    end = indexWithin(text, mark, end + (isPart ? 2 : 1));
  }
  return -1;
}

function indexWithin(text: string, part: string, from: number): number {
  const at = text.slice(from, from + REACH).indexOf(part);
  return at < 0 ? -1 : from + at;
}

const isWordAt = (text: string, at: number): boolean => /^\w$/.test(text.charAt(at));

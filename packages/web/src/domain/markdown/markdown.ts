/** The part of Markdown that models answer with, as a tree. Nothing of it is ever read as HTML. */
import { type Inline, inlinesOf } from './inline.ts';

export type Block =
  | { readonly kind: 'paragraph'; readonly inlines: readonly Inline[] }
  | { readonly kind: 'heading'; readonly level: number; readonly inlines: readonly Inline[] }
  | { readonly kind: 'code'; readonly language: string; readonly text: string }
  | { readonly kind: 'quote'; readonly blocks: readonly Block[] }
  | { readonly kind: 'list'; readonly start: number | null; readonly items: readonly Item[] }
  | {
      readonly kind: 'table';
      readonly head: readonly MarkdownCell[];
      readonly rows: readonly MarkdownRow[];
    }
  | { readonly kind: 'rule' };
export type Item = readonly Block[];
export type MarkdownCell = readonly Inline[];
export type MarkdownRow = readonly MarkdownCell[];

/** Quotes and lists inside of each other; deeper ones are text. */
const MOST_DEPTH = 8;

/** Also of an answer that is not complete: what is open goes to its end. */
export function parseMarkdown(text: string, depth = 0): readonly Block[] {
  const lines = text.replaceAll('\r\n', '\n').split('\n');
  const blocks: Block[] = [];
  let paragraph: string[] = [];
  const endParagraph = () => {
    if (paragraph.length > 0) {
      blocks.push({ kind: 'paragraph', inlines: inlinesOf(paragraph.join('\n')) });
    }
    paragraph = [];
  };
  for (let at = 0; at < lines.length; ) {
    const found = blockAt(lines, at, depth, paragraph.length > 0);
    if (found === null) {
      const line = lines[at] ?? '';
      if (line.trim() === '') endParagraph();
      else paragraph.push(line.trimStart());
      at += 1;
      continue;
    }
    endParagraph();
    blocks.push(found.block);
    at = Math.max(found.next, at + 1);
  }
  endParagraph();
  return blocks;
}

interface Found {
  readonly block: Block;
  /** The line after it. */
  readonly next: number;
}

/** The block that begins at a line; null: it is text of a paragraph. */
function blockAt(
  lines: readonly string[],
  at: number,
  depth: number,
  isInParagraph: boolean,
): Found | null {
  const line = lines[at] ?? '';
  const trimmed = line.trim();
  if (trimmed === '') return null;
  if (trimmed.startsWith('```') || trimmed.startsWith('~~~')) return codeAt(lines, at);
  const level = headingLevel(trimmed);
  if (level > 0) {
    const inlines = inlinesOf(trimmed.slice(level).trim());
    return { block: { kind: 'heading', level, inlines }, next: at + 1 };
  }
  if (isRule(trimmed)) return { block: { kind: 'rule' }, next: at + 1 };
  const table = tableAt(lines, at);
  if (table !== null) return table;
  if (depth >= MOST_DEPTH) return null;
  if (trimmed.startsWith('>')) return quoteAt(lines, at, depth);
  const marker = markerOf(line);
  // A number at the beginning of a line of text is seldom a list.
  if (marker === null || (isInParagraph && marker.start !== null && marker.start !== 1))
    return null;
  return listAt(lines, at, marker, depth);
}

function codeAt(lines: readonly string[], at: number): Found {
  const open = lines[at] ?? '';
  const indentation = indentationOf(open);
  const fence = open.trim();
  const sign = fence.charAt(0);
  let length = 0;
  while (fence.charAt(length) === sign) length += 1;
  const isEnd = (line: string) =>
    line.startsWith(sign.repeat(length)) && line.replaceAll(sign, '').trim() === '';
  const content: string[] = [];
  let next = at + 1;
  for (; next < lines.length; next += 1) {
    const line = lines[next] ?? '';
    if (isEnd(line.trim())) break;
    content.push(line.slice(Math.min(indentation, indentationOf(line))));
  }
  const language = fence.slice(length).trim();
  return { block: { kind: 'code', language, text: content.join('\n') }, next: next + 1 };
}

function quoteAt(lines: readonly string[], at: number, depth: number): Found {
  const content: string[] = [];
  let next = at;
  for (; next < lines.length; next += 1) {
    const line = (lines[next] ?? '').trimStart();
    if (!line.startsWith('>')) break;
    content.push(line.slice(line.startsWith('> ') ? 2 : 1));
  }
  return { block: { kind: 'quote', blocks: parseMarkdown(content.join('\n'), depth + 1) }, next };
}

interface Marker {
  readonly indentation: number;
  /** Columns up to the content. */
  readonly width: number;
  /** Null: the list has no numbers. */
  readonly start: number | null;
}

function markerOf(line: string): Marker | null {
  const found = /^( {0,40})([-*+]|\d{1,9}[.)])( {1,4})(?=\S)/.exec(line);
  if (found === null) return null;
  const [all, before = '', sign = ''] = found;
  const number = Number.parseInt(sign, 10);
  return {
    indentation: before.length,
    width: all.length,
    start: Number.isNaN(number) ? null : number,
  };
}

function listAt(lines: readonly string[], at: number, first: Marker, depth: number): Found {
  const items: string[][] = [];
  let width = first.width;
  let next = at;
  for (; next < lines.length; next += 1) {
    const line = lines[next] ?? '';
    const marker = markerOf(line);
    const isItem =
      marker !== null &&
      marker.indentation < width &&
      marker.indentation >= first.indentation - 1 &&
      (marker.start === null) === (first.start === null);
    if (isItem) {
      width = marker.width;
      items.push([line.slice(marker.width)]);
      continue;
    }
    const isBlank = line.trim() === '';
    const belongs = indentationOf(line) > first.indentation;
    if (isBlank ? !continues(lines, next, first) : !belongs) break;
    items.at(-1)?.push(isBlank ? '' : line.slice(Math.min(width, indentationOf(line))));
  }
  const block: Block = {
    kind: 'list',
    start: first.start,
    items: items.map((item) => parseMarkdown(item.join('\n'), depth + 1)),
  };
  return { block, next };
}

/** Whether the list goes on after an empty line. */
function continues(lines: readonly string[], blank: number, first: Marker): boolean {
  const line = lines[blank + 1] ?? '';
  const marker = markerOf(line);
  if (marker !== null && marker.indentation === first.indentation) {
    return (marker.start === null) === (first.start === null);
  }
  return line.trim() !== '' && indentationOf(line) > first.indentation;
}

function tableAt(lines: readonly string[], at: number): Found | null {
  const head = lines[at] ?? '';
  const delimiter = lines[at + 1]?.trim() ?? '';
  if (!head.includes('|') || !delimiter.includes('-') || !delimiter.includes('|')) return null;
  if (delimiter.replaceAll(/[-:| ]/g, '') !== '') return null;
  const rows: MarkdownRow[] = [];
  let next = at + 2;
  for (; next < lines.length && (lines[next] ?? '').includes('|'); next += 1) {
    rows.push(cellsOf(lines[next] ?? ''));
  }
  return { block: { kind: 'table', head: cellsOf(head), rows }, next };
}

function cellsOf(line: string): MarkdownRow {
  const inner = line.trim().replace(/^\|/, '').replace(/\|$/, '');
  return inner.split('|').map((cell) => inlinesOf(cell.trim()));
}

/** 0: it is none. */
function headingLevel(line: string): number {
  let level = 0;
  while (line.charAt(level) === '#') level += 1;
  return level <= 6 && line.charAt(level) === ' ' ? level : 0;
}

function isRule(line: string): boolean {
  const sign = line.charAt(0);
  if (sign !== '-' && sign !== '*' && sign !== '_') return false;
  const signs = line.replaceAll(' ', '');
  return signs.length >= 3 && signs === sign.repeat(signs.length);
}

const indentationOf = (line: string): number => line.length - line.trimStart().length;

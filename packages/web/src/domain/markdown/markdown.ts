/** Markdown as a tree of the parts that are drawn. Nothing of it is ever read as HTML. */
import { Lexer, type MarkedToken, type Token } from 'marked';

export type Inline =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'code'; readonly text: string }
  | { readonly kind: 'link'; readonly href: string; readonly inlines: readonly Inline[] }
  | {
      readonly kind: 'strong' | 'emphasis' | 'deleted';
      readonly inlines: readonly Inline[];
    };

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

/** Characters. A longer answer is text: it is read again with each piece that arrives. */
const LONGEST = 100_000;
/** Marks at the beginning of one line. The library calls itself for each. */
const TOO_DEEP = /^(?:[ \t]*(?:>|[-*+]|\d{1,9}[.)])){50}/m;

/** Marks of emphasis in one paragraph. The library looks for the end of each in all that follows. */
const MOST_MARKS = 1000;

/** Also of an answer that is not complete: what is open goes to its end. */
export function parseMarkdown(text: string): readonly Block[] {
  const isCostly = text.length > LONGEST || TOO_DEEP.test(text) || hasManyMarks(text);
  if (isCostly) return [paragraph([textOf(text)])];
  return new Lexer({ gfm: true }).lex(text).flatMap(blockOf);
}

function hasManyMarks(text: string): boolean {
  return text.split(/\n[ \t]*\n/).some((part) => (part.match(/[*_~]/g)?.length ?? 0) > MOST_MARKS);
}

function blockOf(token: Token): readonly Block[] {
  const known = token as MarkedToken;
  switch (known.type) {
    case 'space':
    case 'def':
      return [];
    case 'heading':
      return [{ kind: 'heading', level: known.depth, inlines: known.tokens.flatMap(inlineOf) }];
    case 'code':
      return [{ kind: 'code', language: known.lang ?? '', text: known.text }];
    case 'blockquote':
      return [{ kind: 'quote', blocks: known.tokens.flatMap(blockOf) }];
    case 'list': {
      const start = known.ordered ? Number(known.start) : null;
      return [
        { kind: 'list', start, items: known.items.map(({ tokens }) => tokens.flatMap(blockOf)) },
      ];
    }
    case 'table': {
      const row = (cells: typeof known.header): MarkdownRow =>
        cells.map(({ tokens }) => tokens.flatMap(inlineOf));
      return [{ kind: 'table', head: row(known.header), rows: known.rows.map(row) }];
    }
    case 'hr':
      return [{ kind: 'rule' }];
    default:
      return [paragraph(inlineOf(token))];
  }
}

function inlineOf(token: Token): readonly Inline[] {
  const known = token as MarkedToken;
  switch (known.type) {
    case 'strong':
      return [{ kind: 'strong', inlines: known.tokens.flatMap(inlineOf) }];
    case 'em':
      return [{ kind: 'emphasis', inlines: known.tokens.flatMap(inlineOf) }];
    case 'del':
      return [{ kind: 'deleted', inlines: known.tokens.flatMap(inlineOf) }];
    case 'codespan':
      return [{ kind: 'code', text: known.text }];
    case 'br':
      return [textOf('\n')];
    case 'link':
      return [{ kind: 'link', href: known.href, inlines: known.tokens.flatMap(inlineOf) }];
    case 'image':
      return [{ kind: 'link', href: known.href, inlines: [textOf(known.text)] }];
    case 'escape':
      return [textOf(known.text)];
    case 'paragraph':
    case 'text':
      return known.tokens?.flatMap(inlineOf) ?? [textOf(known.text)];
    default:
      return [textOf(token.raw)];
  }
}

function paragraph(inlines: readonly Inline[]): Block {
  return { kind: 'paragraph', inlines };
}

function textOf(text: string): Inline {
  return { kind: 'text', text };
}

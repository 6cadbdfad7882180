/** Finds the parts of a source that people read: exported names, comments, and texts in words. */
import { parseSync } from '@swc/core';

/** An exported name; a member of an exported type is written `Type.member`. */
export interface ExportedName {
  readonly name: string;
  readonly line: number;
}

/** A comment, a text or a paragraph, joined to one line. Code in it is left out. */
export interface Prose {
  readonly text: string;
  readonly line: number;
}

export interface ScannedSource {
  readonly names: readonly ExportedName[];
  readonly prose: readonly Prose[];
}

interface Node {
  readonly type: string;
  readonly span: { readonly start: number; readonly end: number };
  readonly [key: string]: unknown;
}

/** Re-exported names are left out: they belong to the file that declares them. */
export function scanSource(file: string, source: string): ScannedSource {
  const bytes = Buffer.from(source);
  const lineOf = lineFinder(bytes);
  const module = parseSync(source, { syntax: 'typescript', tsx: file.endsWith('x') });
  const names = (module.body as unknown as readonly Node[])
    .filter(({ type }) => type === 'ExportDeclaration')
    .flatMap(({ declaration }) => declaredNames(declaration as Node))
    .map(([name, node]) => ({ name, line: lineOf(start(node)) }));
  const comments = Buffer.from(bytes);
  const texts: Prose[] = [];
  visit(module, (node) => {
    if (!TEXTS.has(node.type)) return;
    comments.fill(' ', start(node), node.span.end - 1);
    if (node.type === 'RegExpLiteral') return;
    const text = String(node.value ?? node.cooked ?? '');
    if (/\w \w/.test(text)) texts.push({ text: plainText(text), line: lineOf(start(node)) });
  });
  return { names, prose: [...commentsOf(comments, lineOf), ...texts] };
}

/** Paragraphs, items and rows of a Markdown document. Code blocks and link targets are left out. */
export function scanMarkdown(source: string): Prose[] {
  const prose: Prose[] = [];
  let isCode = false;
  let paragraph: { text: string; readonly line: number } | null = null;
  for (const [index, text] of source.split('\n').entries()) {
    if (/^\s*```/.test(text)) isCode = !isCode;
    if (isCode || /^\s*(```|$)|^ {4}/.test(text)) {
      paragraph = null;
      continue;
    }
    if (paragraph === null || /^\s*([-*|#]|\d+\.)/.test(text)) {
      paragraph = { text: '', line: index + 1 };
      prose.push(paragraph);
    }
    paragraph.text = plainText(`${paragraph.text} ${text.replaceAll(/\]\([^)]*\)/g, ']')}`);
  }
  return prose;
}

const TEXTS: ReadonlySet<string> = new Set([
  'StringLiteral',
  'TemplateElement',
  'RegExpLiteral',
  'JSXText',
]);

const MEMBERS: ReadonlySet<string> = new Set([
  'TsPropertySignature',
  'TsMethodSignature',
  'ClassMethod',
  'ClassProperty',
]);

function declaredNames(declaration: Node): [string, Node][] {
  if (declaration.type === 'VariableDeclaration') {
    const variables = declaration.declarations as readonly Node[];
    return variables.flatMap((variable): [string, Node][] => {
      const name = nameIn(variable.id);
      return name === null ? [] : [[name, variable]];
    });
  }
  const name = nameIn(declaration.identifier) ?? nameIn(declaration.id);
  if (name === null) return [];
  const found: [string, Node][] = [[name, declaration]];
  if (!/^(Ts|Class)/.test(declaration.type)) return found;
  visit(declaration, (node) => {
    const member = MEMBERS.has(node.type) ? nameIn(node.key) : null;
    if (member !== null) found.push([`${name}.${member}`, node]);
  });
  return found;
}

function nameIn(node: unknown): string | null {
  const { type, value } = (node ?? {}) as { type?: string; value?: string };
  return type === 'Identifier' && value !== undefined ? value : null;
}

/** `bytes`: the source with blanks in place of texts, so that every comment mark starts a comment. */
function commentsOf(bytes: Buffer, lineOf: (offset: number) => number): Prose[] {
  const found: Prose[] = [];
  // One character per byte, since offsets count bytes.
  for (const match of bytes.toString('latin1').matchAll(COMMENT)) {
    const raw = bytes.subarray(match.index, match.index + match[0].length).toString();
    const text = raw.replaceAll(/^\s*(\/\*\*?|\*\/|\*|\/\/)|\*\/$/gm, ' ');
    found.push({ text: plainText(text), line: lineOf(match.index) });
  }
  return found;
}

/** Lines of `//` below each other are one comment. */
const COMMENT = /\/\*[\s\S]*?\*\/|\/\/[^\n]*(?:\n[ \t]*\/\/[^\n]*)*/g;

/** One line, without code in backticks. */
function plainText(text: string): string {
  return text
    .replaceAll(/`[^`]*`/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

function visit(node: unknown, look: (node: Node) => void): void {
  if (typeof node !== 'object' || node === null) return;
  const { type, span } = node as Partial<Node>;
  if (type !== undefined && span !== undefined) look(node as Node);
  for (const part of Object.values(node)) visit(part, look);
}

/** Spans count from 1. */
function start({ span }: Node): number {
  return span.start - 1;
}

function lineFinder(bytes: Buffer): (offset: number) => number {
  const ends: number[] = [];
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) ends.push(at);
  return (offset) => {
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((ends[middle] as number) < offset) low = middle + 1;
      else high = middle;
    }
    return low + 1;
  };
}

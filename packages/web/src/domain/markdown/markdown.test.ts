import { describe, expect, it } from 'vitest';
import { type Block, type Inline, parseMarkdown } from './markdown.ts';

function inlinesOf(text: string): readonly Inline[] {
  const [block] = parseMarkdown(text);
  return block?.kind === 'paragraph' ? block.inlines : [];
}

/** Short notation: `**` strong, `*` emphasis, `~` deleted, `code()`, `link()`. */
function shown(inlines: readonly Inline[]): string {
  return inlines
    .map((one): string => {
      switch (one.kind) {
        case 'text':
          return one.text;
        case 'code':
          return `code(${one.text})`;
        case 'link':
          return `link(${shown(one.inlines)}, ${one.href})`;
        default:
          return `${one.kind}(${shown(one.inlines)})`;
      }
    })
    .join('');
}

const outline = (blocks: readonly Block[]): unknown[] => blocks.map(outlineOf);

function outlineOf(block: Block): unknown {
  switch (block.kind) {
    case 'paragraph':
      return shown(block.inlines);
    case 'heading':
      return `h${block.level} ${shown(block.inlines)}`;
    case 'code':
      return `${block.language}: ${block.text}`;
    case 'quote':
      return { quote: outline(block.blocks) };
    case 'list':
      return { [block.start ?? '-']: block.items.map(outline) };
    case 'table':
      return { table: [block.head, ...block.rows].map((row) => row.map(shown)) };
    case 'rule':
      return 'rule';
  }
}

describe('marks within a line', () => {
  it.each([
    ['a **b** c', 'a strong(b) c'],
    ['__b__ and *i* and _i_', 'strong(b) and emphasis(i) and emphasis(i)'],
    ['***both***', 'emphasis(strong(both))'],
    ['**a *b* c**', 'strong(a emphasis(b) c)'],
    ['~~old~~', 'deleted(old)'],
    ['`a ** b` **c**', 'code(a ** b) strong(c)'],
    ['`` a`b ``', 'code(a`b)'],
    ['2 * 3 * 4 and snake_case_name', '2 * 3 * 4 and snake_case_name'],
    ['\\*not\\*', '*not*'],
    ['[docs](https://x.org/a "title")', 'link(docs, https://x.org/a)'],
    ['![cat](https://x.org/c.png)', 'link(cat, https://x.org/c.png)'],
    ['see https://x.org/a.', 'see link(https://x.org/a, https://x.org/a).'],
    ['<https://x.org>', 'link(https://x.org, https://x.org)'],
    ['<script>alert(1)</script>', '<script>alert(1)</script>'],
    ['an open **mark', 'an open **mark'],
    ['[open](https://x', '[open](link(https://x, https://x)'],
  ])('%s', (text, expected) => {
    expect(shown(inlinesOf(text))).toBe(expected);
  });

  it('of a long text without ends are read quickly', () => {
    for (const part of ['**a', 'a_', '[a](', '`', '_a ', '<', '![', 'http://', '~~']) {
      expect(parseMarkdown(part.repeat(20_000)).length).toBeGreaterThan(0);
    }
  });
});

describe('blocks', () => {
  it.each([
    ['# One\ntext', ['h1 One', 'text']],
    ['a\nb\n\nc', ['a\nb', 'c']],
    ['```ts\nlet a = 1;\n\nlet b;\n```\nafter', ['ts: let a = 1;\n\nlet b;', 'after']],
    ['```\nnot complete', [': not complete']],
    ['- a\n- b\n  more\n\nafter', [{ '-': [['a'], ['b\nmore']] }, 'after']],
    ['- a\n  - b\n  - c\n- d', [{ '-': [['a', { '-': [['b'], ['c']] }], ['d']] }]],
    ['3. a\n\n4. b', [{ 3: [['a'], ['b']] }]],
    ['1. a\n   ```\n   x\n   ```\n2. b', [{ 1: [['a', ': x'], ['b']] }]],
    ['> a\n> - b', [{ quote: ['a', { '-': [['b']] }] }]],
    [
      '| a | b |\n|---|:-:|\n| 1 | **2** |',
      [
        {
          table: [
            ['a', 'b'],
            ['1', 'strong(2)'],
          ],
        },
      ],
    ],
    ['a\n\n---\n\nb', ['a', 'rule', 'b']],
    ['In\n2026. the year', ['In\n2026. the year']],
    ['#tag', ['#tag']],
  ])('%j', (text, expected) => {
    expect(outline(parseMarkdown(text))).toEqual(expected);
  });

  it('inside of each other end at a depth, and every text is read to its end', () => {
    expect(parseMarkdown('> '.repeat(5000)).length).toBe(1);
    expect(parseMarkdown('- '.repeat(5000)).length).toBe(1);
    expect(parseMarkdown('- a\n'.repeat(5000)).length).toBe(1);
  });
});

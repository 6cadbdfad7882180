import { describe, expect, it } from 'vitest';
import { PLAIN, parseAnsi, styleAfter, withoutControls } from './ansi.ts';

const spans = (text: string) =>
  parseAnsi(text).spans.map(({ text: part, style }) => {
    const changed = Object.entries(style).filter(([, value]) => value !== null && value !== false);
    return [part, Object.fromEntries(changed)];
  });

describe('colours', () => {
  it('apply until they are reset', () => {
    expect(spans('a\x1b[1;31mb\x1b[0mc')).toEqual([
      ['a', {}],
      ['b', { bold: true, fg: 1 }],
      ['c', {}],
    ]);
  });

  it.each([
    ['\x1b[38;5;9mx', 9],
    ['\x1b[38;5;196mx', '#ff0000'],
    ['\x1b[38;5;244mx', '#808080'],
    ['\x1b[38;2;1;2;300mx', '#0102ff'],
    ['\x1b[38:2:1:2:3mx', '#010203'],
    ['\x1b[97mx', 15],
    ['\x1b[38mx', null],
    ['\x1b[38;5;999mx', null],
  ])('%j has the colour %s', (text, color) => {
    expect(parseAnsi(text).spans[0]?.style.fg).toBe(color);
  });

  it('continue in the next line', () => {
    const { end } = parseAnsi('\x1b[32mgreen');
    expect(parseAnsi('still', end).spans[0]?.style.fg).toBe(2);
    expect(styleAfter('\x1b[32mgreen', PLAIN)).toEqual(end);
  });
});

describe('everything else that a terminal would interpret', () => {
  it.each([
    ['\x1b[2J\x1b[Hclean', 'clean'],
    ['\x1b]0;title\x07text', 'text'],
    ['\x1b]8;;https://example.com\x1b\\link\x1b]8;;\x1b\\', 'link'],
    ['a\x07b\x00c\x9b31md', 'abc31md'],
    ['\x1b(Bascii\x1b=', 'ascii'],
    ['tab\tstays', 'tab\tstays'],
    ['cut off \x1b[', 'cut off '],
    ['<img src=x onerror=alert(1)>', '<img src=x onerror=alert(1)>'],
  ])('%j is %j', (text, plain) => {
    expect(withoutControls(text)).toBe(plain);
    expect(
      parseAnsi(text)
        .spans.map((span) => span.text)
        .join(''),
    ).toBe(plain);
  });

  it('takes linear time for hostile input', () => {
    for (const part of ['\x1b[', '\x1b]0;', '\x1b[31m', '\x1b[1;']) {
      expect(withoutControls(part.repeat(100_000)).length).toBeLessThan(500_000);
    }
  });
});

import { describe, expect, it } from 'vitest';
import { MAX_LINE_BYTES } from './terminal-line.ts';
import { TerminalText } from './terminal-text.ts';

function lines(raw: string | Uint8Array): string[] {
  const machine = new TerminalText(0);
  const out: string[] = [];
  machine.feed(Buffer.from(raw as string), (piece) => out.push(piece.text));
  const rest = machine.finish((piece) => out.push(piece.text));
  return rest ? [...out, rest.text] : out;
}

describe('text of a terminal', () => {
  it.each([
    ['plain lines', 'one\ntwo\n', ['one\n', 'two\n']],
    ['line ends of a terminal', 'one\r\n\r\ntwo', ['one\n', '\n', 'two']],
    ['colours', '\x1b[1;31mred\x1b[0m text\n', ['red text\n']],
    ['a colour with colons', '\x1b[38:2::1:2:3mx\n', ['x\n']],
    ['a title ended by BEL', '\x1b]0;title\x07x\n', ['x\n']],
    ['a title ended by ST', '\x1b]0;title\x1b\\x\n', ['x\n']],
    ['a link', '\x1b]8;;http://a\x1b\\a\x1b]8;;\x1b\\\n', ['a\n']],
    ['a character set', '\x1b(Bx\x1b=\n', ['x\n']],
    ['eight-bit sequences in UTF-8', '\u009b31mx\u009d0;t\x07y\n', ['xy\n']],
    ['a sequence broken off by a newline', 'a\x1b[3\nb\x1b]0;t\nc\n', ['a\n', 'b\n', 'c\n']],
    ['a redraw', '10%\r50%\r100%\r\n', ['100%\n']],
    ['a redraw by shorter text', 'hello\rhi\n', ['hillo\n']],
    ['a redraw after erasing', 'hello\r\x1b[Khi\n', ['hi\n']],
    ['erasing the whole line', 'hello\x1b[2Khi\n', ['hi\n']],
    ['backspaces', 'abc\b\bX\n', ['aXc\n']],
    ['cursor movements', 'abc\x1b[2DX\x1b[1GY\x1b[2C!\n', ['YXc!\n']],
    ['a gap made by the cursor', 'a\x1b[3Cb\n', ['a   b\n']],
    ['a tab and other controls', 'a\tb\x00\x07\x7fc\n', ['a\tbc\n']],
    ['characters of several bytes', 'grün €😀\r€\n', ['€rün €😀\n']],
    ['form feeds', 'a\fb\n', ['a\n', 'b\n']],
  ])('leaves of %s what a terminal would show', (_, raw, expected) => {
    expect(lines(raw)).toEqual(expected);
  });

  it('replaces invalid UTF-8 like TextDecoder', () => {
    const raw = Buffer.from('61ff62c3280ae282f09f9861e1a0c0af', 'hex');
    expect(lines(raw).join('')).toBe(new TextDecoder().decode(raw).replace('\r', ''));
  });

  it('cuts a line at 32 KiB and never inside a character', () => {
    const raw = `${'a'.repeat(MAX_LINE_BYTES - 1)}€${'b'.repeat(10)}\n`;
    expect(lines(raw).map((text) => text.length)).toEqual([MAX_LINE_BYTES - 1, 12]);
  });

  it('starts a new line if text is redrawn that was already emitted', () => {
    const machine = new TerminalText(0);
    const out: string[] = [];
    const add = (piece: { text: string }) => out.push(piece.text);
    machine.feed(Buffer.from('50%'), add);
    add(machine.cut());
    machine.feed(Buffer.from('\r60%'), add);
    add(machine.cut());
    machine.feed(Buffer.from(' done\r\n> '), add);
    add(machine.cut());
    machine.feed(Buffer.from('\r\nend\n'), add);
    machine.feed(Buffer.from('1/2\r'), add);
    add(machine.cut());
    machine.feed(Buffer.from('2/2\n'), add);
    expect(out).toEqual([
      ...['50%', '\n60%', ' done\n', '> ', '\n', 'end\n'],
      ...['1/2', '\n2/2\n'],
    ]);
  });
});

import { describe, expect, it } from 'vitest';
import { LogLineReader } from './line-reader.ts';

const encode = (text: string) => new TextEncoder().encode(text);
const texts = (lines: readonly { text: string }[]) => lines.map(({ text }) => text);

describe('output in pieces', () => {
  it('is cut at the ends of lines, wherever the pieces end', () => {
    const output = encode('first\nzweite Zeile: ä€😀\n\nlast\n');
    for (let size = 1; size < output.length; size += 1) {
      const reader = new LogLineReader();
      const lines = [];
      for (let at = 0; at < output.length; at += size) {
        lines.push(...reader.read(output.subarray(at, at + size)));
      }
      expect(texts(lines)).toEqual(['first', 'zweite Zeile: ä€😀', '', 'last']);
    }
  });

  it('knows where each line begins', () => {
    const reader = new LogLineReader(100);
    const lines = reader.read(encode('ab\n€\nx'));
    expect(lines.map(({ offset, id }) => [offset, id])).toEqual([
      [100, 0],
      [103, 1],
    ]);
    expect(reader.openLine()).toMatchObject({ text: 'x', offset: 107, id: 2 });
    expect(reader.read(encode('yz\n'))).toMatchObject([{ text: 'xyz', offset: 107, id: 2 }]);
  });

  it('carries colours over the end of a line', () => {
    const lines = new LogLineReader().read(encode('\x1b[31mred\nstill red\x1b[0m\nplain\n'));
    expect(lines.map(({ style }) => style.fg)).toEqual([null, 1, null]);
  });
});

describe('lines that are drawn again', () => {
  it.each([
    ['10%\r50%\r100%\n', '100%'],
    ['windows\r\n', 'windows'],
    ['50%\r\n', '50%'],
    ['\r\r\n', ''],
  ])('%j shows %j', (output, text) => {
    expect(texts(new LogLineReader().read(encode(output)))).toEqual([text]);
  });

  it('show the present drawing while they are open', () => {
    const reader = new LogLineReader();
    reader.read(encode('10%\r50%'));
    expect(reader.openLine()?.text).toBe('50%');
    reader.read(encode('\r'));
    expect(reader.openLine()?.text).toBe('50%');
  });
});

it('splits endless lines', () => {
  const reader = new LogLineReader();
  const lines = reader.read(new Uint8Array(1_000_000).fill(120));
  expect(lines).toHaveLength(3);
  expect(lines[1]?.offset).toBe(262_144);
});

it('notes lost output', () => {
  const reader = new LogLineReader();
  reader.read(encode('half a li'));
  expect(reader.skipTo(1009)).toMatchObject({
    text: '1000 bytes of output were lost here',
    isNote: true,
    offset: 1009,
  });
});

describe('times of output', () => {
  const times = [
    { end: 104, time: 1000 },
    { end: 110, time: 2000 },
  ];

  it('belong to the end of a line', () => {
    const reader = new LogLineReader(100);
    const lines = reader.read(encode('ab\ncd\nefgh'), times);
    expect(lines.map(({ time }) => time)).toEqual([1000, 2000]);
    expect(reader.openLine()?.time).toBe(2000);
    expect(reader.read(encode('i\n'), [{ end: 112, time: 3000 }])).toMatchObject([{ time: 3000 }]);
  });

  it('may be unknown', () => {
    const [line] = new LogLineReader().read(encode('ab\n'));
    expect(line?.time).toBeNull();
  });

  it('continue after a connection was lost in a piece, which is then sent again', () => {
    const reader = new LogLineReader(100);
    reader.read(encode('ab\nc'), times);
    expect(reader.read(encode('d\nefgh'), times)).toMatchObject([{ time: 2000 }]);
  });
});

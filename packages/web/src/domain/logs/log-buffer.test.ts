import { expect, it } from 'vitest';
import { LogBuffer } from './log-buffer.ts';

const encode = (text: string) => new TextEncoder().encode(text);

function buffer(maxLines?: number, maxText?: number) {
  let pending: (() => void) | null = null;
  const logs = new LogBuffer({
    maxLines,
    maxText,
    schedule: (notify) => {
      pending = notify;
    },
  });
  let at = 0;
  return {
    logs,
    append(text: string, gap = 0) {
      const bytes = encode(text);
      at += gap + bytes.length;
      logs.append(bytes, at);
    },
    flush() {
      pending?.();
      pending = null;
    },
    texts: () => logs.snapshot.lines.map(({ text }) => text),
  };
}

it('notifies once for all pieces of a frame', () => {
  const b = buffer();
  let calls = 0;
  b.logs.subscribe(() => {
    calls += 1;
  });
  b.append('a\n');
  b.append('b\nopen');
  expect(calls).toBe(0);
  b.flush();
  expect(calls).toBe(1);
  expect(b.texts()).toEqual(['a', 'b', 'open']);
});

it('drops what is sent twice after a lost connection', () => {
  const b = buffer();
  b.append('one\ntwo\n');
  b.logs.append(encode('two\nthree\n'), 14);
  b.logs.append(encode('two\n'), 8);
  b.flush();
  expect(b.texts()).toEqual(['one', 'two', 'three']);
});

it('marks a gap', () => {
  const b = buffer();
  b.append('one\n');
  b.append('far\n', 100);
  b.flush();
  expect(b.texts()).toEqual(['one', '100 bytes of output were lost here', 'far']);
});

it('forgets the oldest lines', () => {
  const b = buffer(10);
  for (let i = 0; i < 30_000; i += 1) b.append(`${i}\n`);
  b.flush();
  const { lines, start } = b.logs.snapshot;
  expect(lines.length).toBeLessThanOrEqual(11);
  expect(lines.at(-1)?.text).toBe('29999');
  expect(start).toBe(lines[0]?.offset);
});

it('forgets the oldest lines if they are long, and reports that it keeps no more', () => {
  const b = buffer(1000, 10_000);
  b.append('short\n');
  b.flush();
  expect(b.logs.snapshot.isFull).toBe(false);
  for (let i = 0; i < 20; i += 1) b.append(`${i}${'x'.repeat(5000)}\n`);
  b.flush();
  const { lines, isFull } = b.logs.snapshot;
  expect(lines.map(({ text }) => text.slice(0, 2))).toEqual(['18', '19']);
  expect(isFull).toBe(true);
});

it('keeps the last line, however long it is', () => {
  const b = buffer(1000, 10);
  b.append(`${'x'.repeat(5000)}\n`);
  b.flush();
  expect(b.texts()).toHaveLength(1);
});

it('puts older output in front without renumbering', () => {
  const b = buffer();
  b.logs.append(encode('new 1\nnew 2\n'), 112);
  b.logs.prepend({ bytes: encode('old 1\nold 2\n'), times: [] });
  b.flush();
  const { lines, start } = b.logs.snapshot;
  expect(lines.map(({ id, text }) => [id, text])).toEqual([
    [-2, 'old 1'],
    [-1, 'old 2'],
    [0, 'new 1'],
    [1, 'new 2'],
  ]);
  expect(start).toBe(88);
});

import { expect, test } from 'vitest';
import { NodeLines } from './node-lines.ts';

function lines(...pieces: (string | number)[]): string {
  let now = 10_000;
  let shown = '';
  const node = new NodeLines(
    'job=1 | ',
    (bytes) => (shown += Buffer.from(bytes)),
    () => now,
  );
  for (const piece of pieces) {
    if (typeof piece === 'number') now += piece;
    else node.add(Buffer.from(piece));
  }
  node.end();
  return shown;
}

test('every line names its job, wherever the pieces are cut', () => {
  expect(lines('one\r\ntw', 'o\r', '\nthree')).toBe('job=1 | one\njob=1 | two\njob=1 | three\n');
});

test('empty lines are kept', () => {
  expect(lines('\n\r\nx\n')).toBe('job=1 | \njob=1 | \njob=1 | x\n');
});

test('a progress bar is shown at intervals, and its last state always', () => {
  expect(lines('1%\r2%', '\r3%', '\r4%\r', 1000, '5%', '\r6%', '\r100%\n')).toBe(
    'job=1 | 2%\njob=1 | 5%\njob=1 | 100%\n',
  );
});

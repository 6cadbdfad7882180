import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { PlainOutput } from './plain-output.ts';

let written = '';
let output: PlainOutput;
const add = (text: string): void => output.add(Buffer.from(text));

beforeEach(() => {
  vi.useFakeTimers();
  written = '';
  output = new PlainOutput((bytes) => {
    written += Buffer.from(bytes);
  });
});
afterEach(() => void vi.useRealTimers());

test('lines are printed as text, without the controls of a terminal', () => {
  add('\x1b[31mred\x1b[0m line\r\n1%\r2%\r\n');
  expect(written).toBe('red line\n2%\n');
});

test('an unfinished line is printed after a pause, and continued after it', () => {
  add('Name: ');
  expect(written).toBe('');
  vi.advanceTimersByTime(500);
  expect(written).toBe('Name: ');
  add('Ann\r\n');
  expect(written).toBe('Name: Ann\n');
});

test('a line that changes all the time is printed in its last state', () => {
  for (let percent = 1; percent <= 100; percent += 1) {
    add(`\r${percent}%`);
    vi.advanceTimersByTime(100);
  }
  output.end();
  expect(written).toBe('100%');
});

test('the end prints the last line, without a newline that the job did not write', () => {
  add('one\r\ntwo');
  output.end();
  expect(written).toBe('one\ntwo');
  expect(vi.getTimerCount()).toBe(0);
});

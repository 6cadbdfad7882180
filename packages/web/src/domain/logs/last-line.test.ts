import { expect, it } from 'vitest';
import { lastLine } from './last-line.ts';

const encode = (text: string) => new TextEncoder().encode(text);

it.each([
  ['', null],
  ['\n\n \n', null],
  ['one\ntwo\n', 'two'],
  ['one\ntwo', 'two'],
  ['one\n\n\u001b[0m\n', 'one'],
  ['10 %\r50 %\r90 %', '90 %'],
])('the last line of %j is %j', (output, expected) => {
  expect(lastLine(encode(output))?.text ?? null).toBe(expected);
});

it('is a text even where the output was cut within a character', () => {
  expect(lastLine(encode('ä done\n').slice(1))?.text).toContain(' done');
});

import { expect, it } from 'vitest';
import { plainProgram } from './plain-program.ts';

it.each([
  ['/bin/tar  -cf - a_b', ['/bin/tar', '-cf', '-', 'a_b']],
  ["/busybox echo 'two words' it\"'\"s ''", ['/busybox', 'echo', 'two words', "it's", '']],
  [`/echo '$HOME "x" | y' --a='b'`, ['/echo', '$HOME "x" | y', '--a=b']],
  ["/printf 'two\nlines'", ['/printf', 'two\nlines']],
])('takes words, quoted or not: %s', (command, words) => {
  expect(plainProgram(command)).toEqual(words);
});

it.each([
  'ls',
  'A=b /ls',
  '/ls | wc',
  '/ls *',
  '/ls "$HOME"',
  "/ls 'open",
  '/ls \\a',
  '/ls\n/ls',
  '',
])('leaves to a shell what only a shell understands: %s', (command) => {
  expect(plainProgram(command)).toBeNull();
});

it('answers at once, however long the command is', () => {
  expect(plainProgram(`/${'a'.repeat(50_000)}|`)).toBeNull();
  expect(plainProgram(`/${"''".repeat(50_000)}|`)).toBeNull();
});

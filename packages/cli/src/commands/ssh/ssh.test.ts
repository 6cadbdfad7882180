import { expect, test } from 'vitest';
import { shellLine } from './ssh.ts';

test.each([
  [[], []],
  [['echo $HOME | wc'], ['echo $HOME | wc']],
  [['python', '-c', 'print("a  b")'], [`python -c 'print("a  b")'`]],
  [['ls', 'my file', '$HOME', "it's", ''], [`ls 'my file' '$HOME' 'it'"'"'s' ''`]],
])('the arguments %j become the line %j of the job’s shell', (words, line) => {
  expect(shellLine(words)).toEqual(line);
});

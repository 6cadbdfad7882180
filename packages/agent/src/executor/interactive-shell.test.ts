import { expect, it } from 'vitest';
import { endingAtInterrupt } from './interactive-shell.ts';

it.each(['sh', '/bin/sh', '/bin/dash', '/bin/ash'])(
  'a script of an interactive %s ends at Ctrl-C',
  (shell) => {
    expect(endingAtInterrupt([shell, '-i', '-c', 'train && eval', 'name'])).toEqual([
      ...[shell, '-i', '-c', "trap 'exit 130' INT; train && eval", 'name'],
    ]);
  },
);

it.each([
  { argv: ['/bin/bash', '-i', '-c', 'train'] },
  { argv: ['/bin/sh', '-c', 'train'] },
  { argv: ['sh', '-i', '-c'] },
  { argv: ['python', 'train.py'] },
  { argv: [] },
])('every other command stays as it is: $argv', ({ argv }) => {
  expect(endingAtInterrupt(argv)).toEqual(argv);
});

import { expect, it } from 'vitest';
import { endingAtInterrupt } from './interactive-shell.ts';

it('a script of an interactive sh ends at Ctrl-C', () => {
  expect(endingAtInterrupt(['/bin/sh', '-i', '-c', 'train && eval', 'name'])).toEqual([
    ...['/bin/sh', '-i', '-c', "trap 'exit 130' INT; train && eval", 'name'],
  ]);
});

it.each([
  { argv: ['/bin/bash', '-i', '-c', 'train'] },
  { argv: ['/bin/sh', '-c', 'train'] },
  { argv: ['sh', '-i', '-c'] },
  { argv: ['python', 'train.py'] },
  { argv: [] },
])('every other command stays as it is: $argv', ({ argv }) => {
  expect(endingAtInterrupt(argv)).toEqual(argv);
});

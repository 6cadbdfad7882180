import { expect, it } from 'vitest';
import { indentationAfter } from './yaml-indentation.ts';

it.each([
  ['resources:', 2],
  ['resources: # what it needs', 2],
  ['  env:', 4],
  ['commands: |', 2],
  ['  - name: train', 4],
  ['  - name:', 6],
  ['  - echo done', 2],
  ['type: task', 0],
  ['  gpu: H100', 2],
  ['', 0],
  ['  - curl http://x/a:', 6],
])('a line after `%s` begins at column %i', (line, columns) => {
  expect(indentationAfter(line)).toBe(columns);
});

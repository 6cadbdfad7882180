import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { TAKEN_OUT } from './taken-out.ts';

const root = join(import.meta.dirname, '..', '..', '..', '..', '..');

it.each(TAKEN_OUT)('the mend is where the bench takes it out: $name', ({ file, text }) => {
  expect(readFileSync(join(root, file), 'utf8').split(text)).toHaveLength(2);
});

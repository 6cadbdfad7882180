import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { PERMISSIONS, roleDocument } from './permissions.ts';

const PAGE = resolve(import.meta.dirname, '../../../../docs/backends.md');

/** `node scripts/gcp-role.ts` writes it. */
it('the role in the documentation has the permissions that the check asks about', () => {
  expect(readFileSync(PAGE, 'utf8')).toContain(`\`\`\`yaml\n${roleDocument()}\n\`\`\``);
  expect(PERMISSIONS).toEqual([...new Set(PERMISSIONS)].sort());
});

/** nginx presents the certificates that the main process has put in a folder. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { hasLua, withLua } from './testing/lua-nginx.ts';

it.skipIf(!hasLua)('presents a renewed certificate after a second, as the one before may end', () =>
  withLua('certificates-cases', async (ask) => {
    const folder = mkdtempSync(join(tmpdir(), 'dstack-certificates-'));
    try {
      const lines = ['0 first', '999 second', '2 second', '500 third', '1000 broken'];
      const presented = await ask('/', [folder, ...lines].join('\n'));
      // A file that cannot be read leaves what is known.
      expect(presented.split('\n')).toEqual(['first', 'first', 'second', 'second', 'second']);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }),
);

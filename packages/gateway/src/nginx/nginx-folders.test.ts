import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { Nginx } from './nginx.ts';

it('the user of nginx reaches proofs of names and stored bodies, whatever the mask of the program is', () => {
  const runtime = mkdtempSync(join(tmpdir(), 'nginx-folders-'));
  onTestFinished(() => rmSync(runtime, { recursive: true }));
  const mask = process.umask(0o077);
  try {
    new Nginx({ runtime, user: null, group: null, log: {} as never });
  } finally {
    process.umask(mask);
  }
  const modes = ['tmp', 'acme', 'acme/.well-known', 'acme/.well-known/acme-challenge'].map(
    (name) => statSync(join(runtime, name)).mode & 0o777,
  );
  expect(modes).toEqual([0o755, 0o755, 0o755, 0o755]);
});

import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

const dir = mkdtempSync(join(tmpdir(), 'inherited-'));
afterAll(() => rmSync(dir, { recursive: true }));

const PROGRAM = `
import { fstatSync } from 'node:fs';
const isOpen = (fd) => { try { fstatSync(fd); return true; } catch { return false; } };
const { closeInheritedFiles } = await import(${JSON.stringify(join(import.meta.dirname, 'inherited-files.ts'))});
closeInheritedFiles();
console.log(JSON.stringify([40, 41].map(isOpen)));
`;

describe('closing inherited descriptors', () => {
  test('leaves the certificates that Node itself is reading', () => {
    const [other, certificates] = ['other', 'certificates.pem'].map((name) => {
      const path = join(dir, name);
      writeFileSync(path, '');
      return openSync(path, 'r');
    });
    const ignored = Array.from({ length: 37 }, () => 'ignore' as const);
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', PROGRAM], {
      stdio: ['ignore', 'pipe', 'pipe', ...ignored, other, certificates],
      // Nothing distinguishes the second one from a file that Node's thread has opened.
      env: { ...process.env, NODE_EXTRA_CA_CERTS: join(dir, 'certificates.pem') },
    });
    for (const fd of [other, certificates]) closeSync(fd ?? -1);
    expect([JSON.parse(stdout.toString()), stderr.toString()]).toEqual([
      [false, true],
      expect.anything(),
    ]);
  });
});

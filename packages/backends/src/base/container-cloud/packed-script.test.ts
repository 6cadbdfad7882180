import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { CONTAINER_LAUNCHER } from './launcher.ts';
import { packedScript } from './packed-script.ts';

const SCRIPT = `
# A comment with "quotes", 'others' and \${braces}
greet() { echo "$1 $2"; }
greet hello "$2"
exit 3
`;

/** A folder with these programs only. */
function folderOf(...programs: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'packed-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of programs) {
    // Not those of version managers, which are scripts that need others.
    const found = ['/usr/bin', '/bin'].map((dir) => join(dir, name)).find((one) => existsSync(one));
    if (found) symlinkSync(found, join(folder, name));
  }
  return folder;
}

const runIn = (PATH: string) =>
  spawnSync('/bin/sh', ['-c', packedScript(SCRIPT), 'sh', 'first', 'second word'], {
    ...{ encoding: 'utf8', env: { PATH } },
  });

it.each([
  ['base64 and gunzip', ['base64', 'gunzip', 'gzip']],
  ['python3', ['python3']],
])('a packed script runs with its arguments in an image with %s', (_, programs) => {
  const { status, stdout } = runIn(folderOf(...programs));
  expect([status, stdout]).toEqual([3, 'hello second word\n']);
});

it('a packed script prints what an image lacks', () => {
  const { status, stderr } = runIn(folderOf());
  expect(status).toBe(78);
  expect(stderr).toContain('dstack: the image has neither base64 and gunzip nor python3');
});

it('the packed launcher leaves room for its arguments within 4096 characters', () => {
  expect(packedScript(CONTAINER_LAUNCHER).length).toBeLessThan(3700);
});

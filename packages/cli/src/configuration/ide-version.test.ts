import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withDirectory } from '../testing/run-command.ts';
import { detectIdeVersion } from './ide-version.ts';

const COMMIT = '8b3775030ed1a69b13e4f4c628c612102e30a681';

async function program(directory: string, name: string, ...lines: string[]): Promise<void> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, name);
  await writeFile(path, `#!/bin/sh\n${lines.map((line) => `echo '${line}'\n`).join('')}`);
  await chmod(path, 0o755);
}

test.each([
  ['vscode', 'code'],
  ['cursor', 'cursor'],
] as const)('%s prints its commit in the second line', (ide, name) =>
  withDirectory(async (path) => {
    await program(path, name, '1.95.0', COMMIT, 'x64');
    expect(await detectIdeVersion(ide, { PATH: path })).toBe(COMMIT);
  }),
);

test('Windsurf is recognised by its product file, behind the link in PATH', () =>
  withDirectory(async (path) => {
    const app = join(path, 'windsurf');
    await program(join(app, 'bin'), 'windsurf', '1.99.3');
    await mkdir(join(app, 'resources', 'app'), { recursive: true });
    const product = JSON.stringify({ windsurfVersion: '1.106.0', commit: '8951cd3' });
    await writeFile(join(app, 'resources', 'app', 'product.json'), product);
    await mkdir(join(path, 'bin'));
    await symlink(join(app, 'bin', 'windsurf'), join(path, 'bin', 'windsurf'));
    expect(await detectIdeVersion('windsurf', { PATH: join(path, 'bin') })).toBe('1.106.0@8951cd3');
  }));

test('a missing IDE, or another program of its name, has no version', () =>
  withDirectory(async (path) => {
    await program(path, 'code', 'no Code of this kind');
    for (const ide of ['vscode', 'cursor', 'windsurf'] as const) {
      expect(await detectIdeVersion(ide, { PATH: path })).toBeNull();
    }
  }));

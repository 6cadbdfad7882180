import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removeTrees } from './remove-trees.ts';

const PROGRAM = fileURLToPath(new URL('./remove-trees.ts', import.meta.url));

describe('the leftovers of a job', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'remove-trees-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('are removed however deep their directories are nested', () => {
    const top = join(dir, 'top');
    mkdirSync(top);
    const nest = "for (let i = 0; i < 300; i++) { fs.mkdirSync('a'); process.chdir('a'); }";
    execFileSync(process.execPath, ['-e', nest], { cwd: top });
    // Deeper than the number of directories that this process may hold open.
    const script = `
      const { removeTrees } = await import(${JSON.stringify(PROGRAM)});
      await removeTrees([${JSON.stringify(top)}]);`;
    const command = 'ulimit -n 200; exec "$@"';
    const node = [process.execPath, '--input-type=module', '-e', script];
    const ended = spawnSync('/bin/sh', ['-c', command, 'sh', ...node]);
    expect(ended.stderr.toString()).toBe('');
    expect(existsSync(top)).toBe(false);
  });

  it('are removed with links, but without the targets of links', async () => {
    const [outside, top] = [join(dir, 'outside'), join(dir, 'top')];
    for (const each of [outside, top]) mkdirSync(each);
    writeFileSync(join(outside, 'precious'), '');
    symlinkSync(outside, join(top, 'link'));
    symlinkSync(outside, join(dir, '-link'));
    await removeTrees([top, join(dir, '-link')]);
    expect(existsSync(join(outside, 'precious'))).toBe(true);
    expect([top, join(dir, '-link')].filter(existsSync)).toEqual([]);
  });

  it('are removed although their owner has closed directories to himself', () => {
    const closed = [
      join(dir, 'top'),
      join(dir, 'top/read-only'),
      join(dir, 'top/read-only/closed'),
    ];
    for (const each of closed) mkdirSync(each);
    writeFileSync(join(dir, 'top/read-only/closed/file'), '');
    const all = [dir, ...closed, join(dir, 'top/read-only/closed/file')];
    const isRoot = process.getuid?.() === 0;
    if (isRoot) for (const each of all) chownSync(each, 1_234_567, 1_234_567);
    for (const each of closed.toReversed()) chmodSync(each, each.endsWith('closed') ? 0 : 0o555);
    const script = `
      if (${isRoot}) await import(${JSON.stringify(PROGRAM)}).then(() => process.setuid(1_234_567));
      const { removeTrees } = await import(${JSON.stringify(PROGRAM)});
      await removeTrees([${JSON.stringify(join(dir, 'top'))}]);`;
    const ended = spawnSync(process.execPath, ['--input-type=module', '-e', script]);
    expect(ended.stderr.toString()).toBe('');
    expect(existsSync(join(dir, 'top'))).toBe(false);
  });

  it('are named if they cannot be removed', async () => {
    await expect(removeTrees(['/proc/self/fd'])).rejects.toThrow("'/proc/self/fd");
  });
});

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withDirectory } from '../testing/run-command.ts';
import { readLocalRepo } from './local-repo.ts';

function git(cwd: string, ...args: string[]): string {
  const identity = ['-c', 'user.name=T', '-c', 'user.email=t@example.com'];
  return execFileSync('git', [...identity, ...args], { cwd, stdio: 'pipe' })
    .toString()
    .trim();
}

/** A clone of a bare repository with one pushed commit. Its remote has the URL of a server. */
async function checkout(path: string): Promise<string> {
  const bare = join(path, 'bare.git');
  const work = join(path, 'work');
  git(path, 'init', '-q', '--bare', '-b', 'main', bare);
  git(path, 'clone', '-q', bare, work);
  git(work, 'checkout', '-q', '-b', 'main');
  await writeFile(join(work, 'a.txt'), 'one\n');
  git(work, 'add', '.');
  git(work, 'commit', '-q', '-m', 'first');
  git(work, 'push', '-q', '-u', 'origin', 'main');
  git(work, 'remote', 'set-url', 'origin', 'https://github.com/acme/train.git');
  return work;
}

test('the diff contains unpushed commits, changes and untracked files, and can be applied', () =>
  withDirectory(async (path) => {
    const work = await checkout(path);
    const pushed = git(work, 'rev-parse', 'HEAD');
    expect(await readLocalRepo(work)).toMatchObject({ commit: pushed, branch: 'main', diff: null });
    await writeFile(join(work, 'a.txt'), 'two\n');
    git(work, 'commit', '-q', '-a', '-m', 'second');
    await writeFile(join(work, 'new.bin'), new Uint8Array([0, 1, 255]));
    await writeFile(join(work, '.gitignore'), 'ignored\n');
    await writeFile(join(work, 'ignored'), 'x');
    const repo = await readLocalRepo(work);
    expect(repo).toMatchObject({ commit: pushed, url: { host: 'github.com', path: 'acme/train' } });
    expect(repo.diff?.hash).toMatch(/^[0-9a-f]{64}$/);
    const patch = join(path, 'patch');
    await writeFile(patch, repo.diff?.bytes ?? new Uint8Array());
    git(work, 'stash', '-q', '--include-untracked');
    git(work, 'checkout', '-q', pushed);
    git(work, 'apply', patch);
    expect(
      git(work, 'status', '--porcelain')
        .split('\n')
        .map((l) => l.trim()),
    ).toEqual(['M a.txt', '?? .gitignore', '?? new.bin']);
  }));

test('files with names like options are part of the diff and are not taken as options', () =>
  withDirectory(async (path) => {
    const work = await checkout(path);
    await writeFile(join(work, '--output=owned'), 'text\n');
    await writeFile(join(work, '-x'), 'more\n');
    const repo = await readLocalRepo(work);
    const patch = Buffer.from(repo.diff?.bytes ?? []).toString();
    expect(patch).toContain('+++ b/--output=owned');
    expect(patch).toContain('+++ b/-x');
    expect(existsSync(join(work, 'owned'))).toBe(false);
  }));

test('an error about an unusable repo has a reason and a next step', () =>
  withDirectory(async (path) => {
    await mkdir(join(path, 'plain'));
    await writeFile(join(path, 'file'), '');
    await expect(readLocalRepo(join(path, 'none'))).rejects.toMatchObject({
      why: 'there is no such path',
    });
    await expect(readLocalRepo(join(path, 'file'))).rejects.toMatchObject({
      why: 'it is not a directory',
    });
    await expect(readLocalRepo(join(path, 'plain'))).rejects.toMatchObject({
      why: 'it is not a Git repository',
    });
    const work = await checkout(path);
    git(work, 'checkout', '-q', '-b', 'lonely');
    await expect(readLocalRepo(work)).rejects.toMatchObject({
      why: 'branch lonely tracks no remote branch',
    });
    git(work, 'checkout', '-q', '--detach');
    await expect(readLocalRepo(work)).rejects.toMatchObject({ why: 'HEAD is detached' });
  }));

test('a repository without a remote is not advised to push to one', () =>
  withDirectory(async (path) => {
    const work = await checkout(path);
    git(work, 'remote', 'remove', 'origin');
    await expect(readLocalRepo(work)).rejects.toMatchObject({
      why: 'the repository has no remote from which hosts could clone it',
      next: expect.stringContaining('files: [.]'),
    });
    git(work, 'remote', 'add', 'mirror', 'https://github.com/acme/train.git');
    await expect(readLocalRepo(work)).rejects.toMatchObject({
      next: 'git push --set-upstream mirror main',
    });
  }));

import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fuzz } from '@dstack/testkit/fuzz';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bytesOf, hostileTar, type TarPiece, tarOf } from '../testing/hostile-tar.ts';
import { snapshot } from '../testing/snapshot.ts';
import type { HostPlacement } from './host-placement.ts';
import { placeOnHost } from './place-on-host.ts';

/** A user's machine: the agent's state with one job, and the user's own directory. */
let root: string;
let job: string;
let user: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'place-'));
  job = join(root, 'state/jobs/job-1');
  user = join(root, 'user');
  for (const name of ['home', 'work', 'stage']) mkdirSync(join(job, name), { recursive: true });
  mkdirSync(join(user, 'project/.git'), { recursive: true });
  writeFileSync(join(user, 'project/.git/HEAD'), 'ref: refs/heads/main\n');
  writeFileSync(join(user, 'project/ignored.dat'), 'worth a week of work\n');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

interface File {
  readonly path: string;
  readonly tar: Buffer;
}

const file = (path: string, text = 'new\n'): File => ({
  path,
  tar: tarOf([{ name: 'top', content: text }]),
});
const tree = (path: string, ...pieces: Partial<TarPiece>[]): File => ({
  path,
  tar: tarOf([{ name: 'top', kind: '5', mode: 0o755 }, ...pieces]),
});

async function place(files: readonly File[], more: Partial<HostPlacement> = {}): Promise<void> {
  const archives = files.map(({ tar }, index) => {
    const path = join(root, `archive-${index}`);
    writeFileSync(path, tar);
    return openSync(path, 'r');
  });
  const placement: HostPlacement = {
    id: 'job-1',
    spec: {
      repo: null,
      file_archives: files.map(({ path }, index) => ({ id: String(index), sha256: '', path })),
      jobs_per_replica: 1,
      job_private_key: null,
    },
    cluster: null,
    ...{ home: join(job, 'home'), work: join(job, 'work'), stage: join(job, 'stage') },
    ...{ cwd: join(job, 'work'), repoDir: null },
    reserved: [join(root, 'state'), join(root, 'state/jobs')],
    ...more,
  };
  const { signal } = new AbortController();
  try {
    await placeOnHost(placement, { archives, code: null }, signal);
  } finally {
    for (const fd of archives) closeSync(fd);
    files.forEach((_, index) => {
      rmSync(join(root, `archive-${index}`));
    });
  }
}

describe('existing files of the user', () => {
  it.each([
    ['the directory that the files came from', 'project', 'exists and is not empty'],
    ['it with a slash at its end', 'project/', 'exists and is not empty'],
    ['it by a detour', 'project/../../user/./project', 'exists and is not empty'],
    ['it behind a link', 'to-project', 'exists and is not empty'],
    ['the directory around it', '.', 'exists and is not empty'],
    ['a file', 'project/ignored.dat', 'exists as a file'],
    ['a link to a file', 'to-file', 'exists as a file'],
    ['a link that leads nowhere', 'nowhere', 'contains a broken link'],
    ['a place behind such a link', 'nowhere/x', 'contains a broken link'],
    ['a place below a file', 'project/ignored.dat/x', 'ENOTDIR'],
  ])('is left alone when the target is %s', async (_, name, why) => {
    symlinkSync('project', join(user, 'to-project'));
    symlinkSync('project/ignored.dat', join(user, 'to-file'));
    symlinkSync('gone', join(user, 'nowhere'));
    const before = snapshot(user);
    const target = `${user}/${name}`;
    for (const each of [file(target), tree(target, { name: 'top/x' })]) {
      await expect(place([each])).rejects.toMatchObject({
        reason: 'executor_error',
        message: expect.stringContaining(why),
      });
    }
    expect(snapshot(user)).toEqual(before);
  });

  it('are named in the refusal, each of several targets', async () => {
    const targets = [`${user}/project`, '/', `${user}/project/.git`];
    const failure = place([...targets.map((path) => file(path)), file(`${user}/fine`)]);
    await expect(failure).rejects.toThrow(
      /exists and is not empty; .*a job never replaces files that it has not created: choose/,
    );
    for (const target of targets) await expect(failure).rejects.toThrow(`${target} exists`);
    await expect(failure).rejects.not.toThrow('fine');
    expect(existsSync(`${user}/fine`)).toBe(false);
  });

  it('are unchanged by a working directory, which is created if it is missing', async () => {
    const before = snapshot(user);
    await place([], { cwd: `${user}/project` });
    expect(snapshot(user)).toEqual(before);
    const onFile = place([file('x')], { cwd: `${user}/project/ignored.dat` });
    await expect(onFile).rejects.toThrow('project/ignored.dat exists as a file');
    await expect(place([], { cwd: `${user}/project/ignored.dat/x` })).rejects.toThrow('ENOTDIR');
    await expect(place([file(`${user}/project`)], { cwd: `${user}/new` })).rejects.toThrow();
    expect(snapshot(user)).toEqual(before);
    await place([], { cwd: `${user}/new/one` });
    expect(statSync(`${user}/new/one`).isDirectory()).toBe(true);
  });

  it('do not protect those of the agent, where a job may only use its own directories', async () => {
    const other = join(root, 'state/jobs/job-2/home');
    mkdirSync(other, { recursive: true });
    const before = snapshot(other);
    for (const path of [
      `${other}/x`,
      `${job}/supervisor.json`,
      '../record.json',
      '../../../token',
    ]) {
      await expect(place([file(path)])).rejects.toThrow(/belongs to dstack/);
    }
    await expect(place([], { cwd: `${job}/x` })).rejects.toThrow(/belongs to dstack/);
    expect(snapshot(other)).toEqual(before);
    await place([file(`${job}/home/x`), file('../home/y'), file('~/z')]);
    expect(readdirSync(join(job, 'home')).sort()).toEqual(['x', 'y', 'z']);
  });
});

describe('the files of a job', () => {
  it('go to a missing path, with all directories above it', async () => {
    await place([file(`${user}/a/b/file`), tree(`${user}/c`, { name: 'top/d/e', content: 'E' })]);
    expect(readFileSync(`${user}/a/b/file`, 'utf8')).toBe('new\n');
    expect(readFileSync(`${user}/c/d/e`, 'utf8')).toBe('E');
    expect(readdirSync(join(job, 'stage'))).toEqual(['placed.jsonl']);
  });

  it('go into an empty directory, which stays the same one', async () => {
    const target = `${user}/empty`;
    mkdirSync(target, { mode: 0o711 });
    mkdirSync(`${target}/lost+found`);
    const before = statSync(target);
    await place([tree(target, { name: 'top/x', content: 'X' }, { name: 'top/d/y', content: 'Y' })]);
    expect(statSync(target)).toMatchObject({ ino: before.ino, mode: before.mode });
    expect(readdirSync(target).sort()).toEqual(['d', 'lost+found', 'x']);
    mkdirSync(`${user}/other`);
    await expect(place([file(`${user}/other`)])).rejects.toThrow(
      /other is a directory, and what would be put there is a file/,
    );
    expect(readdirSync(`${user}/other`)).toEqual([]);
  });

  it('go to another file system in one step as well', async () => {
    const target = mkdtempSync('/dev/shm/place-');
    try {
      await place([
        tree(
          `${target}/new/dir`,
          { name: 'top/run', mode: 0o755, content: 'X' },
          { name: 'top/link', kind: '2', to: '/etc/passwd' },
        ),
        file(`${target}/file`, 'F'),
        tree(target.replace('place-', 'place-x'), { name: 'top/y' }),
      ]);
      expect(readdirSync(target).sort()).toEqual(['file', 'new']);
      expect(statSync(`${target}/new/dir/run`).mode & 0o777).toBe(0o755);
      expect(lstatSync(`${target}/new/dir/link`).isSymbolicLink()).toBe(true);
      const before = snapshot(target);
      await expect(place([file(`${target}/more`), file(`${target}/file/x`)])).rejects.toThrow();
      expect(snapshot(target)).toEqual(before);
    } finally {
      rmSync(target, { recursive: true });
      rmSync(target.replace('place-', 'place-x'), { recursive: true, force: true });
    }
  });

  it('are placed completely or not at all', async () => {
    const before = snapshot(user);
    const bad = tree(`${user}/b`, { name: 'top/ok' }, { name: 'top/../../x' });
    await expect(place([file(`${user}/new/a`), bad])).rejects.toThrow(
      `Failed to put files to ${user}/b: the archive has an entry "top/../../x"`,
    );
    expect(snapshot(user)).toEqual(before);
    expect(readdirSync(join(job, 'work'))).toEqual([]);
  });

  it.each(['outer first', 'inner first'])('may lie in each other, %s', async (order) => {
    for (const base of [user, 'below']) {
      const outer = tree(`${base}/x`, { name: 'top/in/old' }, { name: 'top/kept', content: 'K' });
      const inner = tree(`${base}/x/in`, { name: 'top/new', content: 'N' });
      await place(order === 'outer first' ? [outer, inner] : [inner, outer]);
      const at = base === user ? user : join(job, 'work/below');
      expect(readFileSync(`${at}/x/kept`, 'utf8')).toBe('K');
      expect(readdirSync(`${at}/x/in`)).toEqual(['new']);
    }
  });

  it('do not redirect later ones', async () => {
    const before = snapshot(user);
    const leading = tree('lead', { name: 'top/out', kind: '2', to: user });
    for (const path of ['lead/out/x', 'lead/out', 'lead/out/project']) {
      const failure = place([leading, tree(path, { name: 'top/y' })]);
      if (path === 'lead/out') await failure;
      else await expect(failure).rejects.toThrow('lies behind a link');
      expect(snapshot(user)).toEqual(before);
    }
    await expect(
      place([{ path: 'l', tar: tarOf([{ name: 'top', kind: '2', to: user }]) }, file('l/x')]),
    ).rejects.toThrow('lies behind a link');
  });

  it('replace the job’s own working directory, but not by a file', async () => {
    await place([tree('.', { name: 'top/x' })]);
    expect(readdirSync(join(job, 'work'))).toEqual(['x']);
    await expect(place([file('.')])).rejects.toThrow('is a directory');
    await expect(place([file('~')])).rejects.toThrow('is a directory');
  });

  it('have no mode that grants rights to others', async () => {
    await place([
      tree('d', { name: 'top/suid', mode: 0o6755 }, { name: 'top/sgid', kind: '5', mode: 0o7700 }),
    ]);
    expect(statSync(join(job, 'work/d/suid')).mode & 0o7777).toBe(0o755);
    expect(statSync(join(job, 'work/d/sgid')).mode & 0o7777).toBe(0o700);
  });
});

describe('after an agent that ended during the placement', () => {
  it('placed files belong to the job', async () => {
    mkdirSync(`${user}/empty`);
    const files = [
      tree(`${user}/new`, { name: 'top/x' }),
      tree(`${user}/empty`, { name: 'top/a' }, { name: 'top/b' }),
      file('own'),
    ];
    await place(files);
    // The second move was half done.
    rmSync(`${user}/empty/b`);
    const placed = snapshot(`${user}/new`);
    await place(files);
    expect(snapshot(`${user}/new`)).toEqual(placed);
    expect(readdirSync(`${user}/empty`).sort()).toEqual(['a', 'b']);
    writeFileSync(`${user}/empty/mine`, 'of the user\n');
    await expect(place(files)).rejects.toThrow(`${user}/empty exists and is not empty`);
    expect(readFileSync(`${user}/empty/mine`, 'utf8')).toBe('of the user\n');
  });

  it('unfinished files are removed, and no others', async () => {
    const left = join(user, '.dstack-job-1-abcdef');
    mkdirSync(join(left, 'tree'), { recursive: true });
    const lines = [left, `${user}/project`, `${user}/none/.dstack-job-1-x`].map((path) =>
      JSON.stringify({ kind: 'temporary', path }),
    );
    writeFileSync(join(job, 'stage/placed.jsonl'), `${lines.join('\n')}\n{"kind":"pla`);
    await place([file('x')]);
    expect(readdirSync(user)).toEqual(['project']);
  });
});

it('no archive changes anything outside its target', async () => {
  const outside = join(root, 'outside');
  mkdirSync(join(outside, 'a'), { recursive: true });
  writeFileSync(join(outside, 'canary'), 'alive');
  writeFileSync(join(outside, 'a', 'b'), 'alive');
  const untouched = () => [snapshot(outside), snapshot(user)];
  const before = untouched();
  const target = fc.constantFrom('x', '.', '~', `${root}/elsewhere/x`);
  await fuzz(
    'archives on a host',
    fc.asyncProperty(hostileTar(outside), hostileTar(outside), target, async (one, two, path) => {
      const files = [
        { path, tar: bytesOf(one) },
        { path: `${path}/link`, tar: bytesOf(two) },
      ];
      const failed = await place(files).catch((error: Error) => error);
      expect(untouched()).toEqual(before);
      if (failed) expect(failed.message).toMatch(/^(Failed to put|.* exists|.* lies|.* has)/);
      if (failed) expect(existsSync(`${root}/elsewhere`)).toBe(false);
      expect(readdirSync(join(root, 'state/jobs/job-1')).sort()).toEqual(['home', 'stage', 'work']);
      rmSync(`${root}/elsewhere`, { recursive: true, force: true });
      rmSync(join(job, 'stage/placed.jsonl'), { force: true });
    }),
  );
});

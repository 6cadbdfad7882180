import { lstat, mkdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { expect, test } from 'vitest';
import { CliError } from '../../errors.ts';
import { attachedRun, BASE, withStatus } from '../../testing/apply-run.ts';
import { fakeJobs } from '../../testing/fake-job.ts';
import { startFakeServer } from '../../testing/fake-server.ts';
import { runCommand, serverEnv, withDirectory } from '../../testing/run-command.ts';
import { type LeftOut, packed, unpackTo } from './local-tar.ts';

const counts = () => ({ files: 0, bytes: 0 });

/** A copy that writes every entry. */
const unpackAll = (target: string, copied = counts()) =>
  unpackTo(target, copied, ({ name, why }) => {
    throw new Error(`${name}: ${why}`);
  });

test('a folder is packed and unpacked with its files, modes and links', () =>
  withDirectory(async (cwd) => {
    const source = join(cwd, 'data');
    await mkdir(join(source, 'sub'), { recursive: true });
    await writeFile(join(source, 'sub', 'a b.txt'), 'hello', { mode: 0o750 });
    await writeFile(join(source, 'empty'), '');
    await symlink('sub/a b.txt', join(source, 'link'));
    const sent = counts();
    const received = counts();
    const target = join(cwd, 'copy');
    await pipeline(Readable.from(packed(source, '.', sent)), unpackAll(target, received));
    expect([sent, received]).toEqual([
      { files: 2, bytes: 5 },
      { files: 2, bytes: 5 },
    ]);
    expect(await readFile(join(target, 'link'), 'utf8')).toBe('hello');
    expect((await lstat(join(target, 'sub', 'a b.txt'))).mode & 0o777).toBe(0o750);
  }));

test('a single file gets the name of the target', () =>
  withDirectory(async (cwd) => {
    await writeFile(join(cwd, 'x'), 'text');
    const target = join(cwd, 'renamed');
    await pipeline(Readable.from(packed(join(cwd, 'x'), 'x', counts())), unpackAll(target));
    expect(await readFile(target, 'utf8')).toBe('text');
  }));

test.each([
  ['a parent', [{ name: './../evil' }]],
  ['an absolute name', [{ name: '/tmp/evil' }]],
  ['a link', [{ name: './l', type: 'symlink', linkname: '..' }, { name: './l/evil' }]],
] as const)('an archive of a job cannot write through %s', (_, entries) =>
  withDirectory(async (cwd) => {
    const archive = pack();
    archive.entry({ name: './', type: 'directory' });
    for (const entry of entries) {
      if ('linkname' in entry) archive.entry({ ...entry });
      else archive.entry({ name: entry.name }, 'evil');
    }
    archive.finalize();
    const target = join(cwd, 'in');
    const unpacking = pipeline(
      Readable.from(archive),
      unpackTo(target, counts(), () => {}),
    );
    await expect(unpacking).rejects.toThrow(CliError);
    await expect(lstat(join(cwd, 'evil'))).rejects.toThrow('ENOENT');
  }),
);

test.each(['.', 'file'])(
  'an archive of a job cannot replace the target by a link and write through it (%s)',
  (name) =>
    withDirectory(async (cwd) => {
      const outside = join(cwd, 'outside');
      await mkdir(outside);
      const archive = pack();
      archive.entry({ name, type: 'symlink', linkname: outside });
      archive.entry({ name: './evil' }, 'evil');
      archive.finalize();
      const unpacking = pipeline(
        Readable.from(archive),
        unpackTo(join(cwd, 'in'), counts(), () => {}),
      );
      await expect(unpacking).rejects.toThrow(CliError);
      await expect(lstat(join(outside, 'evil'))).rejects.toThrow('ENOENT');
    }),
);

test('a copy into a link names the next step', () =>
  withDirectory(async (cwd) => {
    await mkdir(join(cwd, 'elsewhere'));
    await symlink('elsewhere', join(cwd, 'in'));
    const archive = pack();
    archive.entry({ name: './a' }, 'text');
    archive.finalize();
    const unpacking = pipeline(
      Readable.from(archive),
      unpackTo(join(cwd, 'in'), counts(), () => {}),
    );
    await expect(unpacking).rejects.toMatchObject({
      message: `${join(cwd, 'in')} is a link, not a folder`,
      next: 'name the folder that the link leads to, or another one',
    });
  }));

test('a link that an earlier copy has left is not followed', () =>
  withDirectory(async (cwd) => {
    const outside = join(cwd, 'outside');
    await mkdir(outside);
    await symlink(outside, join(cwd, 'in'));
    const archive = pack();
    archive.entry({ name: './', type: 'directory' });
    archive.entry({ name: './evil' }, 'evil');
    archive.finalize();
    const unpacking = pipeline(Readable.from(archive), unpackAll(join(cwd, 'in')));
    await expect(unpacking).rejects.toThrow('not a folder');
    await expect(lstat(join(outside, 'evil'))).rejects.toThrow('ENOENT');
  }));

/** Copies the content of a folder `in` that has the entries; `cwd` contains `in` and `outside`. */
async function copied(cwd: string, entries: readonly HeaderArgument[]) {
  await mkdir(join(cwd, 'outside'), { recursive: true });
  const archive = pack();
  archive.entry({ name: './', type: 'directory' });
  for (const entry of entries) {
    if (entry.type === undefined) archive.entry(entry, 'text');
    else archive.entry(entry);
  }
  archive.finalize();
  const leftOut: string[] = [];
  const reasons: string[] = [];
  const target = join(cwd, 'in');
  const onLeftOut = ({ name, why }: LeftOut) => {
    leftOut.push(name);
    reasons.push(why);
  };
  await pipeline(Readable.from(archive), unpackTo(target, counts(), onLeftOut));
  return { target, leftOut, reasons };
}

type HeaderArgument = Exclude<Parameters<ReturnType<typeof pack>['entry']>[0], undefined>;

const folder = (name: string) => ({ name, type: 'directory' }) as const;
const link = (name: string, linkname: string) => ({ name, type: 'symlink', linkname }) as const;

test.each([
  ['absolutely', [link('./l', '/etc/passwd')]],
  ['to a parent', [link('./l', '..')]],
  ['to a sibling', [link('./l', '../outside')]],
  ['from below', [folder('./a'), link('./a/l', '../../outside')]],
  ['after a name', [folder('./a'), link('./l', 'a/../../outside')]],
  [
    'through an earlier link',
    [folder('./a'), folder('./a/b'), link('./a/b/up', '../..'), link('./l', 'a/b/up/../outside')],
  ],
  ['with separators of Windows', [link('./l', '..\\outside')]],
  ['nowhere', [link('./l', '')]],
] as const)(
  'a link that leads out of the copied folder %s is left out and reported',
  (_, entries) =>
    withDirectory(async (cwd) => {
      const { target, leftOut } = await copied(cwd, entries);
      expect(leftOut).toEqual(['./l', './a/l'].filter((name) => leftOut.includes(name)));
      expect(leftOut).toHaveLength(1);
      await expect(lstat(join(target, leftOut[0] ?? ''))).rejects.toThrow('ENOENT');
    }),
);

/** Runs `dstack cp rr:out/x copy` against a job whose `tar` writes one entry. */
async function copyOf(entry: HeaderArgument) {
  const run = withStatus(await attachedRun(), 'running', 'running', 'running');
  const fake = await startFakeServer({ [`POST ${BASE}/runs/get`]: { json: run } });
  const archive = pack();
  archive.entry(entry);
  archive.finalize();
  let bytes = '';
  for await (const chunk of archive) bytes += chunk;
  fakeJobs(fake, (_started, command) => {
    command.print(bytes);
    command.exit(0);
  });
  return withDirectory((cwd) =>
    runCommand(['cp', 'rr:out/x', 'copy'], { env: serverEnv(fake.url), cwd }),
  );
}

test.each([
  [link('x', '/work/model.pt'), 'it is a link to /work/model.pt'],
  [link('x', 'model.pt'), 'it is a link to model.pt'],
  [{ name: 'x', type: 'fifo' } as const, 'it is a fifo'],
])('a copy of one thing that cannot be copied fails with the reason (%j)', async (entry, why) => {
  const { code, err } = await copyOf(entry);
  expect(code).toBe(1);
  expect(err).toContain('Cannot copy rr:out/x');
  expect(err).toContain(why);
  expect(err).not.toContain('outside of the folder');
  expect(err).not.toContain('Copied');
});

test('a link that may lead out, or does, is left out with the true reason', () =>
  withDirectory(async (cwd) => {
    const { reasons } = await copied(cwd, [
      ...[folder('./sub'), link('./mid', 'sub/../f'), link('./out', 'sub/../../f')],
      ...[link('./abs', '/etc'), link('./none', '')],
    ]);
    expect(reasons).toEqual([
      'it is a link to sub/../f, and a `..` after a name is not followed: the name may be a link that leads out',
      'it is a link to sub/../../f, outside of the folder',
      'it is a link to /etc, outside of the folder',
      'it is a link to nothing',
    ]);
  }));

test('a link through one that was there before the copy is left out', () =>
  withDirectory(async (cwd) => {
    await mkdir(join(cwd, 'in'));
    await symlink('../outside', join(cwd, 'in', 'mine'));
    const { leftOut, reasons } = await copied(cwd, [link('./l', 'mine'), link('./m', 'mine/x')]);
    expect(leftOut).toEqual(['./l', './m']);
    expect(reasons[0]).toBe(
      'it is a link to mine, which leads through a link that was there before',
    );
  }));

test('links within the copied folder are made, and hard links become files', () =>
  withDirectory(async (cwd) => {
    const { target, leftOut } = await copied(cwd, [
      ...[folder('./a'), folder('./a/b'), { name: './a/file' }],
      ...[link('./a/b/up', '../file'), link('./through', 'a/b/up'), link('./later', 'a/not-yet')],
      { name: './second', type: 'link', linkname: './a/file' },
    ]);
    expect(leftOut).toEqual([]);
    expect(await readFile(join(target, 'through'), 'utf8')).toBe('text');
    expect(await readlink(join(target, 'later'))).toBe('a/not-yet');
    const [first, second] = await Promise.all(
      ['a/file', 'second'].map((name) => lstat(join(target, name))),
    );
    expect(await readFile(join(target, 'second'), 'utf8')).toBe('text');
    expect(first?.ino).not.toBe(second?.ino);
  }));

test.each([
  ['/etc/passwd', []],
  ['../outside/secret', []],
  ['./mine', []],
  ['./l', [link('./l', 'mine')]],
] as const)('a hard link to %s, which was not copied, is left out', (linkname, before) =>
  withDirectory(async (cwd) => {
    await mkdir(join(cwd, 'in'));
    await writeFile(join(cwd, 'in', 'mine'), 'mine');
    const { target, leftOut } = await copied(cwd, [
      ...before,
      { name: './h', type: 'link', linkname },
    ]);
    expect(leftOut).toEqual(['./h']);
    await expect(lstat(join(target, 'h'))).rejects.toThrow('ENOENT');
  }),
);

test.each(['character-device', 'block-device', 'fifo'] as const)('a %s is left out', (type) =>
  withDirectory(async (cwd) => {
    const { leftOut } = await copied(cwd, [{ name: './d', type, devmajor: 1, devminor: 3 }]);
    expect(leftOut).toEqual(['./d']);
  }),
);

test.each([
  [['a', 'b'], 2, 'both are local paths'],
  [['r1:a', 'r2:b'], 2, 'both are in runs'],
  [['missing', 'r1:b'], 3, 'missing does not exist'],
])('cp %j is refused', async (argv, expected, message) => {
  const { code, err } = await runCommand(['cp', ...argv]);
  expect(code).toBe(expected);
  expect(err).toContain(message);
});

import { hash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fileBlobs } from './file-blobs.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dstack-blobs-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const free = () => {};
const name = hash('sha256', 'one two');

describe('blobs in files', () => {
  it('exist once they are kept, as they were written', async () => {
    const blobs = fileBlobs(dir);
    const draft = await blobs.draft(free);
    await draft.write(Buffer.from('one '));
    await draft.write(Buffer.from('two'));
    expect(await blobs.has(name)).toBe(false);
    await draft.keep(name);
    await draft.discard();
    expect(await blobs.get(name)).toEqual(Buffer.from('one two'));
    expect(await readdir(join(dir, 'drafts'))).toEqual([]);
  });

  it('leave nothing behind when they are discarded', async () => {
    const draft = await fileBlobs(dir).draft(free);
    await draft.write(Buffer.from('one'));
    await draft.discard();
    expect(await readdir(join(dir, 'drafts'))).toEqual([]);
  });

  it('of a killed server are removed', async () => {
    await mkdir(join(dir, 'drafts'));
    await writeFile(join(dir, 'drafts', 'left'), 'half');
    await (await fileBlobs(dir).draft(free)).discard();
    expect(await readdir(join(dir, 'drafts'))).toEqual([]);
  });

  it('can be written once the folder can be created, if that failed at first', async () => {
    const root = join(dir, 'blobs');
    await writeFile(root, 'a file, not a folder');
    const blobs = fileBlobs(root);
    await expect(blobs.put(name, Buffer.from('one two'))).rejects.toThrow();
    await rm(root);
    await blobs.put(name, Buffer.from('one two'));
    expect(await blobs.has(name)).toBe(true);
  });

  it('of the same bytes can be written at the same time', async () => {
    const blobs = fileBlobs(dir);
    await Promise.all(Array.from({ length: 8 }, () => blobs.put(name, Buffer.from('one two'))));
    expect(await blobs.get(name)).toEqual(Buffer.from('one two'));
  });
});

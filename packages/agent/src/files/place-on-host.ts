import { createWriteStream, existsSync } from 'node:fs';
import {
  chmod,
  lchown,
  link,
  lstat,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type ExecutorJob, type JobAccount, JobFailure } from '../jobs/executor.ts';
import { placeIn } from '../process/place-in.ts';
import { archiveEntries, cloneEntries, type Entry, UnsafeArchive } from './entries.ts';
import { cloneRepo, repoFailure, repoNotEmpty } from './git-clone.ts';
import { makeFolders } from './make-folders.ts';
import { homeFiles, type SmallFile } from './small-files.ts';

export interface HostPlaces {
  readonly account: JobAccount;
  readonly cwd: string;
  readonly repoDir: string | null;
  /** Path and text of the MPI host file. */
  readonly hostfile: { readonly path: string; readonly text: string };
}

/** Puts everything that a job brings along where it will look for it. Throws `JobFailure`. */
export async function placeOnHost(
  job: ExecutorJob,
  places: HostPlaces,
  signal: AbortSignal,
): Promise<void> {
  const { account, cwd, repoDir, hostfile } = places;
  const owner = account.uid === process.getuid?.() ? null : account;
  await writeFile(hostfile.path, hostfile.text, { mode: 0o644 });
  for (const file of homeFiles(job, account.home)) await writeSmall(file, account.home, owner);
  if (repoDir !== null) await placeRepo(job, repoDir, owner, signal);
  for (const { id, path } of job.spec.file_archives) {
    signal.throwIfAborted();
    const target = placeIn(path, account.home, cwd);
    try {
      await makeParents(target, owner);
      await rm(target, { recursive: true, force: true });
      await write(archiveEntries(job.folder.archive(id), target, true), dirname(target), owner);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new JobFailure('executor_error', `Failed to put files to ${path}: ${why}`);
    }
  }
}

async function placeRepo(
  job: ExecutorJob,
  repoDir: string,
  owner: JobAccount | null,
  signal: AbortSignal,
): Promise<void> {
  const { repo } = job.spec;
  if (!repo) return;
  if (await hasContents(repoDir)) {
    if (repo.exists_action === 'error') throw repoNotEmpty(repoDir);
    return;
  }
  try {
    await makeParents(repoDir, owner);
    if (repo.type === 'remote') {
      const { code, scratch } = job.folder;
      const clone = await cloneRepo({ repo, code, scratch, signal });
      await write(withTop(repoDir, cloneEntries(clone, repoDir)), dirname(repoDir), owner);
      await rm(scratch, { recursive: true, force: true });
    } else if (existsSync(job.folder.code)) {
      const entries = archiveEntries(job.folder.code, repoDir, false);
      await write(withTop(repoDir, entries), dirname(repoDir), owner);
    }
  } catch (error) {
    if (error instanceof JobFailure || signal.aborted) throw error;
    throw repoFailure(error instanceof Error ? error.message : String(error));
  }
}

/** A directory that holds nothing but a file system's `lost+found` counts as empty. */
async function hasContents(dir: string): Promise<boolean> {
  if (!existsSync(dir)) return false;
  return (await readdir(dir)).some((name) => name !== 'lost+found');
}

async function* withTop(dir: string, entries: AsyncGenerator<Entry>): AsyncGenerator<Entry> {
  yield { type: 'directory', path: dir, mode: 0o755 };
  yield* entries;
}

/** Never writes through a link that the entries themselves have made: `root` and below is checked. */
async function write(
  entries: AsyncGenerator<Entry>,
  root: string,
  owner: JobAccount | null,
): Promise<void> {
  for await (const entry of entries) {
    await refuseLinkOnTheWay(root, dirname(entry.path));
    await makeFolders(dirname(entry.path));
    await writeEntry(entry);
    if (owner) await lchown(entry.path, owner.uid, owner.gid);
  }
}

async function writeEntry(entry: Entry): Promise<void> {
  const there = await lstat(entry.path).catch(() => null);
  if (there && !(entry.type === 'directory' && there.isDirectory())) {
    await rm(entry.path, { recursive: true, force: true });
  }
  switch (entry.type) {
    case 'directory':
      await makeFolders(entry.path);
      await chmod(entry.path, entry.mode & 0o7777);
      return;
    case 'symlink':
      await symlink(entry.to, entry.path);
      return;
    case 'link':
      await link(entry.to, entry.path);
      return;
    case 'file':
      await pipeline(entry.content, createWriteStream(entry.path, { flags: 'wx' }));
      await chmod(entry.path, entry.mode & 0o7777);
      return;
  }
}

async function refuseLinkOnTheWay(root: string, dir: string): Promise<void> {
  let path = root;
  for (const part of relative(root, dir).split(sep)) {
    if (part === '') continue;
    path = join(path, part);
    const stat = await lstat(path).catch(() => null);
    if (stat?.isSymbolicLink()) throw new UnsafeArchive(`an entry lies behind the link ${path}`);
  }
}

async function writeSmall(file: SmallFile, home: string, owner: JobAccount | null): Promise<void> {
  await makeParents(file.path, owner);
  await refuseLinkOnTheWay(home, dirname(file.path));
  const text = existsSync(file.path) ? file.over(await readFile(file.path, 'utf8')) : file.text;
  if (text === null) return;
  // Made anew, since what is there may be a link to something else.
  await rm(file.path, { force: true });
  await writeFile(file.path, text, { mode: file.mode, flag: 'wx' });
  if (owner) await lchown(file.path, owner.uid, owner.gid);
}

/** Missing parents belong to the job's user. */
async function makeParents(path: string, owner: JobAccount | null): Promise<void> {
  const first = await makeFolders(dirname(path));
  if (!first || !owner) return;
  for (let dir = dirname(path); dir.length >= first.length; dir = dirname(dir)) {
    await lchown(dir, owner.uid, owner.gid);
  }
}

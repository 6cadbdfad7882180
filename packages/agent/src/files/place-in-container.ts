import { closeSync, createReadStream, existsSync, openSync } from 'node:fs';
import { dirname, posix } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { errorMessage } from '@dstack/contract/error-message';
import type Docker from 'dockerode';
import { extract, type Header, type Pack, pack } from 'tar-stream';
import { existsInContainer, readContainerFile } from '../docker/container-files.ts';
import type { ContainerJob } from '../docker/container-job.ts';
import { creationFailure } from '../docker/creation-failure.ts';
import { statusOf } from '../docker/engine-error.ts';
import { NOTICE_FILE, NOTICE_MODE } from '../docker/notice-file.ts';
import type { ExecutorJob } from '../executor/executor.ts';
import { mpiHostfile } from '../executor/job-environment.ts';
import { JobFailure } from '../executor/job-failure.ts';
import { placeIn } from '../executor/place-in.ts';
import { UnsafeArchive } from './archive-names.ts';
import { CloneGuard } from './clone-guard.ts';
import { type ClonePlace, makeClonePlace, usesSsh } from './clone-place.ts';
import { archiveEntries, cloneEntries, type Entry } from './entries.ts';
import { cloneRepo, repoNotEmpty } from './git-clone.ts';
import { homeFiles, profileText } from './small-files.ts';

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const ROOT: Owner = { uid: 0, gid: 0 };
const PROFILE = '/dstack/profile';

/**
 * Puts a job's files into its container, which must not have been started. They are sent as one tar
 * stream, so they are not copied on this host. Throws `JobFailure`.
 */
export async function placeInContainer(
  container: Docker.Container,
  planned: ContainerJob,
  signal: AbortSignal,
): Promise<void> {
  const clone = await prepareRepo(container, planned, signal);
  try {
    await send(container, planned, clone, signal);
  } finally {
    await clone?.place?.remove();
  }
}

async function send(
  container: Docker.Container,
  planned: ContainerJob,
  clone: Clone | null,
  signal: AbortSignal,
): Promise<void> {
  const tar = pack();
  const packer = new TreePacker(planned, tar);
  await packer.survey(container);
  signal.throwIfAborted();
  const sent = container.putArchive(tar as unknown as NodeJS.ReadableStream, { path: '/' });
  const filled = packer.fill(clone, signal);
  // The Engine answers at the end of the stream, so a failure must break the stream.
  filled.catch((error) => tar.destroy(error));
  // Stop as well if the Engine answers before it has read everything.
  sent.catch((error) => tar.destroy(error));
  const onAbort = (): void => tar.destroy(new Error('aborted'));
  signal.addEventListener('abort', onAbort);
  const [filling, sending] = await Promise.allSettled([filled, sent]);
  signal.removeEventListener('abort', onAbort);
  signal.throwIfAborted();
  const broken = filling.status === 'rejected' ? filling.reason : null;
  // An Engine that stops reading breaks the stream too; its own message is more precise.
  if (sending.status === 'rejected' && (statusOf(sending.reason) !== null || broken === null)) {
    throw creationFailure('putFiles', sending.reason);
  }
  if (broken instanceof JobFailure) throw broken;
  if (broken) {
    const why = errorMessage(broken);
    throw new JobFailure('executor_error', `Failed to put files into the container: ${why}`);
  }
}

/** The source of the repo's directory. */
interface Clone {
  /** On this host, removed by the one who made it; null: the uploaded archive. */
  readonly place: ClonePlace | null;
}

/** Null: the repo's directory stays as it is. */
async function prepareRepo(
  container: Docker.Container,
  { job, repoDir }: ContainerJob,
  signal: AbortSignal,
): Promise<Clone | null> {
  const { repo } = job.spec;
  if (!repo || repoDir === null) return null;
  if (await hasContents(container, repoDir)) {
    if (repo.exists_action === 'error') throw repoNotEmpty(repoDir);
    return null;
  }
  return { place: repo.type === 'remote' ? await clone(job, signal) : null };
}

/**
 * The repository is a stranger's, and this process is root on most hosts: git runs as a user of its own.
 * It reaches no more of the network than the job in its container.
 */
async function clone({ spec, folder }: ExecutorJob, signal: AbortSignal): Promise<ClonePlace> {
  const { id, repo, network_mode: network, host_access: access } = spec;
  if (!repo) throw new Error('no repo to clone');
  const place = await makeClonePlace({
    ...{ jobId: id, scratch: folder.scratch, stateDir: dirname(dirname(folder.path)) },
    needsName: usesSsh(repo),
  });
  const isGuarded = network !== 'host' && access?.repos !== true;
  const code = existsSync(folder.code) ? openSync(folder.code, 'r') : null;
  let guard: CloneGuard | null = null;
  try {
    guard = isGuarded ? await CloneGuard.open(place.guard) : null;
    await cloneRepo({ repo, code, ...place, signal, guard });
    return place;
  } catch (error) {
    await place.remove();
    throw error;
  } finally {
    guard?.close();
    if (code !== null) closeSync(code);
  }
}

/** Writes entries of one job into a tar stream whose root is the container's. */
class TreePacker {
  readonly #planned: ContainerJob;
  readonly #tar: Pack;
  /** Directories that exist, in the container or earlier in the stream. */
  readonly #made = new Set<string>(['/']);
  readonly #existing = new Map<string, string>();
  /** Links and files of the stream: nothing may lie below them. */
  readonly #leaves = new Set<string>();

  constructor(planned: ContainerJob, tar: Pack) {
    this.#planned = planned;
    this.#tar = tar;
  }

  /**
   * Reads everything needed from the container, which cannot answer while it receives the stream.
   */
  async survey(container: Docker.Container): Promise<void> {
    const { job, user, workingDir, repoDir } = this.#planned;
    const files = homeFiles(job, user.home).map((file) => file.path);
    for (const path of files) {
      const text = await readContainerFile(container, path);
      if (text !== null) this.#existing.set(path, text);
    }
    const archives = job.spec.file_archives.map(({ path }) => placeIn(path, user.home, workingDir));
    for (const path of [...files, ...archives, ...(repoDir === null ? [] : [repoDir])]) {
      for (let dir = posix.dirname(path); !this.#made.has(dir); dir = posix.dirname(dir)) {
        if (await existsInContainer(container, dir)) this.#made.add(dir);
      }
    }
  }

  async fill(clone: Clone | null, signal: AbortSignal): Promise<void> {
    const { job, user, workingDir, repoDir, madeWorkingDir } = this.#planned;
    await this.#system(this.#planned);
    for (const file of homeFiles(job, user.home)) {
      const before = this.#existing.get(file.path);
      const text = before === undefined ? file.text : file.over(before);
      if (text === null) continue;
      await this.#parents(file.path, user);
      await this.#text(file.path, text, file.mode, user);
    }
    if (madeWorkingDir) await this.#add({ type: 'directory', path: workingDir, mode: 0o755 }, user);
    if (clone && repoDir !== null)
      await this.#repo(this.#planned, clone.place?.dir ?? null, repoDir);
    for (const { id, path } of job.spec.file_archives) {
      signal.throwIfAborted();
      const target = placeIn(path, user.home, workingDir);
      await this.#parents(target, user);
      const content = createReadStream(job.folder.archive(id));
      await this.#all(archiveEntries(content, true), target, user);
    }
    this.#tar.finalize();
  }

  /**
   * The agent's own files: the environment for login shells, and the addresses of the other nodes.
   */
  async #system({ job, user, env, image }: ContainerJob): Promise<void> {
    await this.#add({ type: 'directory', path: '/dstack', mode: 0o755 }, ROOT);
    await this.#add({ type: 'directory', path: '/dstack/mpi', mode: 0o755 }, ROOT);
    await this.#text('/dstack/mpi/hostfile', mpiHostfile(job.cluster), 0o644, ROOT);
    await this.#text(NOTICE_FILE, '', NOTICE_MODE, ROOT);
    await this.#text(PROFILE, profileText(env), 0o640, { uid: 0, gid: user.gid });
    const before = image.profile ?? '';
    const gap = before === '' || before.endsWith('\n') ? '' : '\n';
    // Guarded by a test, because users outside the job's group cannot read it.
    const line = `[ ! -r '${PROFILE}' ] || . '${PROFILE}'\n`;
    await this.#text('/etc/profile', `${before}${gap}${line}`, 0o644, ROOT);
  }

  async #repo({ job, user }: ContainerJob, clone: string | null, repoDir: string): Promise<void> {
    const code = job.folder.code;
    if (clone === null && !existsSync(code)) return;
    await this.#parents(repoDir, user);
    await this.#add({ type: 'directory', path: repoDir, mode: 0o755 }, user);
    const entries = clone ? cloneEntries(clone) : archiveEntries(createReadStream(code), false);
    await this.#all(entries, repoDir, user);
  }

  async #all(entries: AsyncIterable<Entry>, target: string, owner: Owner): Promise<void> {
    for await (const entry of entries) {
      const path = posix.join(target, entry.path);
      const to = entry.type === 'link' ? { to: posix.join(target, entry.to) } : {};
      await this.#add({ ...entry, ...to, path }, owner);
    }
  }

  /** Missing parents belong to the job's user. Those of the image stay unchanged. */
  async #parents(path: string, owner: Owner): Promise<void> {
    const missing: string[] = [];
    for (let dir = posix.dirname(path); !this.#made.has(dir); dir = posix.dirname(dir)) {
      missing.unshift(dir);
    }
    this.#refuseBehindLeaf(path);
    for (const dir of missing)
      await this.#add({ type: 'directory', path: dir, mode: 0o755 }, owner);
  }

  #text(path: string, text: string, mode: number, { uid, gid }: Owner): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#tar.entry({ name: path.slice(1), mode, uid, gid }, text, (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }

  async #add(entry: Entry, { uid, gid }: Owner): Promise<void> {
    const header: Partial<Header> & Pick<Header, 'name'> = { name: entry.path.slice(1), uid, gid };
    this.#refuseBehindLeaf(entry.path);
    if (entry.type === 'directory') this.#leaves.delete(entry.path);
    else this.#leaves.add(entry.path);
    switch (entry.type) {
      case 'directory':
        this.#made.add(entry.path);
        this.#tar.entry({ ...header, type: 'directory', mode: entry.mode });
        return;
      case 'symlink':
        this.#tar.entry({ ...header, type: 'symlink', linkname: entry.to });
        return;
      case 'link':
        this.#tar.entry({ ...header, type: 'link', linkname: entry.to.slice(1) });
        return;
      case 'file': {
        const { mode, size, content } = entry;
        await pipeline(content, this.#tar.entry({ ...header, mode, size }));
        return;
      }
    }
  }

  /**
   * A link from one archive must not redirect the next one, for example into a mounted directory.
   */
  #refuseBehindLeaf(path: string): void {
    for (let dir = posix.dirname(path); dir !== '/'; dir = posix.dirname(dir)) {
      if (this.#leaves.has(dir)) {
        throw new UnsafeArchive(`${path} lies behind ${dir}, a link or a file of the job`);
      }
    }
  }
}

/** Reads only as much as needed: a directory of the image may be large. */
async function hasContents(container: Docker.Container, dir: string): Promise<boolean> {
  let archive: Readable;
  try {
    archive = (await container.getArchive({ path: dir })) as Readable;
  } catch (error) {
    if (statusOf(error) === 404) return false;
    throw creationFailure('readRepoDir', error);
  }
  try {
    for await (const entry of archive.pipe(extract())) {
      const [, name] = entry.header.name.split('/');
      entry.resume();
      if (name && name !== 'lost+found') return true;
    }
    return false;
  } finally {
    archive.destroy();
  }
}

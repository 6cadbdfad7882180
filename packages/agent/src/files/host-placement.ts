import { randomUUID } from 'node:crypto';
import { read as readPiece } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import type { ClusterInfo, JobSpecForAgent } from '@dstack/contract/agent';
import { JobFailure } from '../executor/job-failure.ts';
import { placeIn } from '../executor/place-in.ts';
import { archiveEntries } from './entries.ts';
import { cloneRepo, repoFailure } from './git-clone.ts';
import type { MakeTree } from './staging.ts';
import { writeTree } from './write-tree.ts';

/** The repo and files of a job, and their targets on this host. Plain data. */
export interface HostPlacement {
  readonly id: string;
  readonly spec: Pick<
    JobSpecForAgent,
    'repo' | 'file_archives' | 'jobs_per_replica' | 'job_private_key'
  >;
  readonly cluster: ClusterInfo | null;
  /** The job's own directories; placing files empties them first. */
  readonly home: string;
  readonly work: string;
  /** Where trees are built, on the same file system. */
  readonly stage: string;
  readonly cwd: string;
  readonly repoDir: string | null;
  /** Directories of the agent, where a job may not place files. */
  readonly reserved: readonly string[];
}

/** Descriptors of the uploads; the function that opened them closes them. */
export interface Uploads {
  /** In the order of the spec. */
  readonly archives: readonly number[];
  readonly code: number | null;
}

/** One tree and its target. */
export interface PlacementItem {
  readonly kind: 'repo' | 'files';
  /** Absolute, as the job names it. */
  readonly path: string;
  readonly make: MakeTree;
  readonly failure: (why: string) => JobFailure;
}

/** In order: later ones replace earlier ones. */
export function placementItems(
  placement: HostPlacement,
  uploads: Uploads,
  signal: AbortSignal,
): PlacementItem[] {
  const repo = repoItem(placement, uploads, signal);
  return [...(repo ? [repo] : []), ...fileItems(placement, uploads, signal)];
}

function repoItem(
  { spec: { repo }, repoDir, stage }: HostPlacement,
  { code }: Uploads,
  signal: AbortSignal,
): PlacementItem | null {
  if (!repo || repoDir === null) return null;
  const item = { kind: 'repo', path: repoDir, failure: repoFailure } as const;
  if (repo.type === 'remote') {
    const home = join(stage, `git-home-${randomUUID()}`);
    return {
      ...item,
      make: (dir) => cloneRepo({ repo, code, dir, home, signal, guard: null, user: null }),
    };
  }
  if (code === null) return null;
  return { ...item, make: (dir) => writeTree(archiveEntries(read(code), false), dir, signal) };
}

function fileItems(
  { spec, home, cwd }: HostPlacement,
  { archives }: Uploads,
  signal: AbortSignal,
): PlacementItem[] {
  return spec.file_archives.map(({ path }, index) => {
    const make: MakeTree = async (root) => {
      const fd = archives[index];
      if (fd === undefined) throw new Error('the archive was not uploaded');
      await writeTree(archiveEntries(read(fd), true), root, signal);
    };
    const failure = (why: string) =>
      new JobFailure('executor_error', `Failed to put files to ${path}: ${why}`);
    return { kind: 'files', path: placeIn(path, home, cwd), make, failure };
  });
}

/** Reads from the beginning. Unlike a stream of `node:fs`, it leaves the descriptor open. */
function read(fd: number): Readable {
  return Readable.from(piecesOf(fd));
}

const PIECE = 64 * 1024;
const readAt = promisify(readPiece);

async function* piecesOf(fd: number): AsyncGenerator<Buffer> {
  for (let at = 0; ; ) {
    const { bytesRead, buffer } = await readAt(fd, Buffer.allocUnsafe(PIECE), 0, PIECE, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/**
 * Replaces the pointers of Git LFS in a clone by their files. The agent speaks the protocol itself
 * (the batch API with the transfer `basic`), so that no host needs `git-lfs`, and no program connects
 * past the proxy that keeps clones away from the host.
 */
import { createHash } from 'node:crypto';
import { Transform } from 'node:stream';
import type { RepoForAgent } from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import { overSize } from '../clone-limits.ts';
import { type GitRunner, tokenLogin } from '../git-runner.ts';
import { type Download, type RepoLogin, requestDownloads } from './batch.ts';
import { type LfsEndpoint, lfsEndpoint } from './endpoint.ts';
import { LfsHttp } from './lfs-http.ts';
import { type LfsFile, lfsFilesOf } from './pointers.ts';

export interface LfsClone {
  readonly runner: GitRunner;
  readonly repo: RepoForAgent;
  readonly dir: string;
  readonly signal: AbortSignal;
}

/** Files of one request; servers refuse more than about a hundred. */
const AT_ONCE = 100;
const AT_THE_SAME_TIME = 4;

/** Throws an error that names the missing file and the way to do without it. */
export async function fetchLfsFiles(clone: LfsClone): Promise<void> {
  const { runner, repo, dir, signal } = clone;
  const http = new LfsHttp(runner.env, signal);
  try {
    for (const tree of await treesOf(runner, dir)) {
      const files = await lfsFilesOf(runner, tree);
      if (files.length === 0) continue;
      checkSize(files, repo);
      const remote = await runner.git(tree, ['config', '--get', 'remote.origin.url']);
      const endpoint = await lfsEndpoint(runner, tree, remote.trim());
      for (let at = 0; at < files.length; at += AT_ONCE) {
        const slice = files.slice(at, at + AT_ONCE);
        await fetchSlice({ runner, http, tree, endpoint, login: tokenLogin(repo) }, slice);
      }
    }
  } catch (error) {
    signal.throwIfAborted();
    const why = errorMessage(error).replace(/^Git LFS: /, '');
    throw new Error(
      `Git LFS: ${why}; to get the pointers instead of the files, set GIT_LFS_SKIP_SMUDGE=1 in env`,
    );
  } finally {
    http.close();
  }
}

/** The clone, and its submodules. */
async function treesOf(runner: GitRunner, dir: string): Promise<string[]> {
  const each = ['submodule', '--quiet', 'foreach', '--recursive', 'pwd'];
  const submodules = await runner.git(dir, each);
  return [dir, ...submodules.split('\n').filter((line) => line !== '')];
}

function checkSize(files: readonly LfsFile[], { limits }: RepoForAgent): void {
  const limit = limits?.bytes ?? null;
  const sum = files.reduce((total, { object }) => total + object.size, 0);
  if (limit !== null && sum > limit) throw new Error(overSize(limit));
}

interface Tree {
  readonly runner: GitRunner;
  readonly http: LfsHttp;
  readonly tree: string;
  readonly endpoint: LfsEndpoint;
  readonly login: RepoLogin | null;
}

async function fetchSlice(tree: Tree, files: readonly LfsFile[]): Promise<void> {
  const downloads = await requestDownloads(
    tree,
    files.map(({ object }) => object),
  );
  const waiting = [...files];
  const work = async (): Promise<void> => {
    for (let file = waiting.pop(); file; file = waiting.pop()) {
      const download = downloads.get(file.object.oid);
      if (!download) throw new Error(`the server has no file for ${file.path}`);
      await fetchFile(tree, file, download);
    }
  };
  await Promise.all(Array.from({ length: AT_THE_SAME_TIME }, work));
}

async function fetchFile(
  { runner, http, tree }: Tree,
  { path, object }: LfsFile,
  { url, headers }: Download,
): Promise<void> {
  const answer = await http.send({ url, headers, body: null });
  if (answer.statusCode !== 200) {
    answer.resume();
    throw new Error(`${new URL(url).host} answered ${answer.statusCode} for ${path}`);
  }
  const hash = createHash('sha256');
  let size = 0;
  const counted = new Transform({
    transform(piece: Buffer, _encoding, done) {
      size += piece.length;
      hash.update(piece);
      done(
        size > object.size ? new Error(`${path} is longer than the size in its pointer`) : null,
        piece,
      );
    },
  });
  answer.on('error', (error) => counted.destroy(error));
  const broken = new Promise<never>((_, reject) => counted.once('error', reject));
  broken.catch(() => {});
  const written = runner.write(tree, path, answer.pipe(counted));
  await Promise.race([written, broken]).finally(() => answer.destroy());
  if (hash.digest('hex') !== object.oid) {
    throw new Error(`the server sent another file than ${path}, whose pointer has ${object.oid}`);
  }
}

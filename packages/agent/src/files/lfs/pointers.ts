/** The files of a clone that Git LFS keeps elsewhere, by the pointers that its index has in their place. */
import type { GitRunner } from '../git-runner.ts';

export interface LfsFile {
  /** In the working tree. */
  readonly path: string;
  readonly object: LfsObject;
}

export interface LfsObject {
  /** SHA-256 of the content. */
  readonly oid: string;
  readonly size: number;
}

/** A pointer is shorter than this, in bytes; a longer file is none. */
const MAX_POINTER = 1024;
/** How many pointers are read at once: their texts are held in memory. */
const AT_ONCE = 10_000;
const VERSIONS = 'https://(?:git-lfs\\.github\\.com|hawser\\.github\\.com)/spec/v1';
const POINTER = new RegExp(
  `^version ${VERSIONS}\\n(?:ext-[^\\n]*\\n)*oid sha256:([0-9a-f]{64})\\nsize (\\d{1,15})\\n$`,
);

/** Null: not a pointer. */
export function parsePointer(text: string): LfsObject | null {
  const [, oid, size] = POINTER.exec(text) ?? [];
  return oid === undefined ? null : { oid, size: Number(size) };
}

/** In the order of their paths, without those that the uploaded diff has changed. */
export async function lfsFilesOf(runner: GitRunner, dir: string): Promise<LfsFile[]> {
  const entries = parseEntries(
    await runner.git(dir, ['ls-files', '--stage', '-z', '--', ':(attr:filter=lfs)']),
  );
  if (entries.length === 0) return [];
  const changed = new Set(splitZero(await runner.git(dir, ['diff-files', '--name-only', '-z'])));
  const wanted = entries.filter(({ path }) => !changed.has(path));
  const files: LfsFile[] = [];
  for (let at = 0; at < wanted.length; at += AT_ONCE) {
    const slice = wanted.slice(at, at + AT_ONCE);
    const objects = await pointersOf(runner, dir, slice);
    for (const { path, blob } of slice) {
      const object = objects.get(blob);
      if (object) files.push({ path, object });
    }
  }
  return files;
}

interface IndexEntry {
  readonly path: string;
  readonly blob: string;
}

/** `mode blob stage TAB path`; links and submodules are left out. */
function parseEntries(listing: string): IndexEntry[] {
  return splitZero(listing).flatMap((line) => {
    const [, blob, path] = /^100\d{3} ([0-9a-f]{40,64}) 0\t(.+)$/s.exec(line) ?? [];
    return blob === undefined || path === undefined ? [] : [{ blob, path }];
  });
}

const splitZero = (text: string): string[] => text.split('\0').filter((part) => part !== '');

async function pointersOf(
  runner: GitRunner,
  dir: string,
  entries: readonly IndexEntry[],
): Promise<ReadonlyMap<string, LfsObject>> {
  const blobs = [...new Set(entries.map(({ blob }) => blob))];
  const format = '--batch-check=%(objectname) %(objectsize)';
  const sizes = await runner.git(dir, ['cat-file', format], `${blobs.join('\n')}\n`);
  const short = sizes
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([blob, size]) => blob !== '' && Number(size) < MAX_POINTER)
    .map(([blob = '']) => blob);
  if (short.length === 0) return new Map();
  return parseBatch(await runner.gitBytes(dir, ['cat-file', '--batch'], `${short.join('\n')}\n`));
}

/** Each blob is `name blob length LF content LF`. */
function parseBatch(output: Buffer): ReadonlyMap<string, LfsObject> {
  const objects = new Map<string, LfsObject>();
  for (let at = 0; at < output.length; ) {
    const end = output.indexOf('\n', at);
    if (end === -1) break;
    const [blob = '', , length] = output.toString('latin1', at, end).split(' ');
    const next = end + 1 + Number(length);
    if (!Number.isSafeInteger(next)) throw new Error(`git has no blob ${blob}`);
    const object = parsePointer(output.toString('latin1', end + 1, next));
    if (object) objects.set(blob, object);
    at = next + 1;
  }
  return objects;
}

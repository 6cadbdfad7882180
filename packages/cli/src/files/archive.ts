import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, readlink, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import type { Ignore } from 'ignore';
import { CliError } from '../errors.ts';

/** A tar archive in memory and its SHA-256 in hex. */
export interface Archive {
  readonly bytes: Uint8Array;
  readonly hash: string;
  /** Largest first: the files to look at when an upload is too large. */
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

interface Entry {
  /** In the archive, with `/` as separator. */
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'symlink';
  readonly mode: number;
  readonly source: string;
  readonly target?: string;
}

const IGNORE_FILES = ['.gitignore', '.dstackignore'] as const;

/**
 * Packs a file or a directory under its base name. `.gitignore` and `.dstackignore` apply at every
 * level, in a Git repository or not; `.git` is left out. Entries are sorted and have neither times
 * nor owners, so that equal content has an equal hash wherever and whenever it is packed.
 */
export async function packPath(path: string): Promise<Archive> {
  const root = await realpath(path);
  const entries: Entry[] = [];
  const info = await stat(root);
  if (info.isDirectory()) {
    const name = basename(path) || basename(root);
    entries.push({ name, kind: 'directory', mode: info.mode, source: root });
    await collect({ root, directory: root, name, ignores: [] }, entries);
  } else {
    entries.push({ name: basename(path), kind: 'file', mode: info.mode, source: root });
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  return pack(entries);
}

interface Place {
  readonly root: string;
  readonly directory: string;
  readonly name: string;
  readonly ignores: readonly { readonly base: string; readonly rules: Ignore }[];
}

async function collect(place: Place, entries: Entry[]): Promise<void> {
  const ignores = [...place.ignores, ...(await rulesOf(place.directory))];
  const children = await readdir(place.directory, { withFileTypes: true });
  for (const child of children) {
    if (child.name === '.git') continue;
    const source = join(place.directory, child.name);
    const name = `${place.name}/${child.name}`;
    if (isIgnored(source, child.isDirectory(), ignores)) continue;
    if (child.isSymbolicLink()) {
      await addLink(source, name, place.root, entries);
    } else if (child.isDirectory()) {
      const { mode } = await lstat(source);
      entries.push({ name, kind: 'directory', mode, source });
      await collect({ ...place, directory: source, name, ignores }, entries);
    } else if (child.isFile()) {
      const { mode } = await lstat(source);
      entries.push({ name, kind: 'file', mode, source });
    }
    // Sockets, devices and pipes have no content to pack.
  }
}

/** A link to a target inside the root stays a link; any other is replaced by its target. */
async function addLink(
  source: string,
  name: string,
  root: string,
  entries: Entry[],
): Promise<void> {
  const target = await readlink(source);
  const absolute = await realpath(source).catch(() => null);
  if (absolute === null) return;
  if (absolute === root || absolute.startsWith(root + sep)) {
    const inside = target.startsWith('/') ? relative(dirname(source), absolute) : target;
    entries.push({ name, kind: 'symlink', mode: 0o777, source, target: inside });
    return;
  }
  const info = await stat(absolute);
  if (info.isFile()) entries.push({ name, kind: 'file', mode: info.mode, source: absolute });
}

async function rulesOf(directory: string): Promise<{ base: string; rules: Ignore }[]> {
  const texts: string[] = [];
  for (const file of IGNORE_FILES) {
    const path = join(directory, file);
    const info = await stat(path).catch(() => null);
    if (info?.isFile()) texts.push(await readFile(path, 'utf8'));
  }
  if (texts.length === 0) return [];
  const { default: ignore } = await import('ignore');
  return [{ base: directory, rules: ignore().add(texts.join('\n')) }];
}

/** The deepest ignore file with a matching rule decides, as in Git. */
function isIgnored(
  source: string,
  isDirectory: boolean,
  ignores: readonly { base: string; rules: Ignore }[],
): boolean {
  for (const { base, rules } of [...ignores].reverse()) {
    const path = relative(base, source).split(sep).join('/') + (isDirectory ? '/' : '');
    const verdict = rules.test(path);
    if (verdict.ignored) return true;
    if (verdict.unignored) return false;
  }
  return false;
}

/** Null: there is no such file any more. */
async function contentOf(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    throw new CliError(`Cannot read ${path}`, {
      why: message,
      next: 'give yourself the right to read it, or leave it out by a line in .dstackignore',
      cause: error,
    });
  }
}

const EPOCH = new Date(0);

async function pack(entries: readonly Entry[]): Promise<Archive> {
  // CommonJS: in the bundle it has no named exports.
  const { default: tar } = await import('tar-stream');
  const stream = tar.pack();
  const hash = createHash('sha256');
  const chunks: Buffer[] = [];
  const files: { path: string; size: number }[] = [];
  const reading = (async () => {
    for await (const chunk of stream) {
      hash.update(chunk as Buffer);
      chunks.push(chunk as Buffer);
    }
  })();
  for (const entry of entries) {
    const common = { name: entry.name, mtime: EPOCH, mode: entry.mode & 0o777, uid: 0, gid: 0 };
    if (entry.kind === 'file') {
      const content = await contentOf(entry.source);
      // Deleted since the folder was read: an editor or a build writes into it.
      if (content === null) continue;
      files.push({ path: entry.name, size: content.byteLength });
      stream.entry({ ...common, type: 'file', size: content.byteLength }, content);
    } else if (entry.kind === 'symlink') {
      stream.entry({ ...common, type: 'symlink', linkname: entry.target ?? '' });
    } else {
      stream.entry({ ...common, name: `${entry.name}/`, type: 'directory' });
    }
  }
  stream.finalize();
  await reading;
  files.sort((a, b) => b.size - a.size);
  return { bytes: Buffer.concat(chunks), hash: hash.digest('hex'), files };
}

/** Thrown for an archive that would write outside its target or exhaust the host. */
export class UnsafeArchive extends Error {}

/** Longest path and name on Linux, in bytes. */
const MAX_PATH = 4096;
const MAX_NAME = 255;
/** No project has deeper trees, which are slow to create and to remove. */
const MAX_DEPTH = 200;
/** An entry costs an inode of the host and 512 bytes of the archive. */
const MAX_ENTRIES = 250_000;

type Kind = 'directory' | 'file' | 'link';

/**
 * Checks the names of one archive in the order of its entries. Names that pass are safe as plain paths
 * below an empty directory: none leads above it, none leads through a link, none occurs twice.
 */
export class ArchiveNames {
  readonly #kinds = new Map<string, Kind>();
  #count = 0;

  /** Parts of the name below the archive's root; empty for the root itself. */
  add(name: string, kind: Kind): readonly string[] {
    this.#count += 1;
    if (this.#count > MAX_ENTRIES) {
      throw new UnsafeArchive(`the archive has more than ${MAX_ENTRIES} entries`);
    }
    const parts = partsOf(name);
    this.#enter(name, parts, kind);
    return parts;
  }

  /** Parts of a hard link's target, which must be an earlier file of the archive. */
  file(name: string): readonly string[] {
    const parts = partsOf(name);
    if (this.#kinds.get(parts.join('/')) === 'file') return parts;
    throw new UnsafeArchive(
      `a hard link points to ${quoted(name)}, which is not an earlier file of the archive`,
    );
  }

  #enter(name: string, parts: readonly string[], kind: Kind): void {
    let path = '';
    for (const part of parts.slice(0, -1)) {
      path = path === '' ? part : `${path}/${part}`;
      const above = this.#kinds.get(path) ?? 'directory';
      if (above !== 'directory') {
        throw new UnsafeArchive(`entry ${quoted(name)} lies behind ${quoted(path)}, a ${above}`);
      }
      this.#kinds.set(path, above);
    }
    const own = parts.join('/');
    if (own === '' && kind !== 'directory') {
      throw new UnsafeArchive(`the archive has an entry ${quoted(name)}`);
    }
    const before = this.#kinds.get(own);
    const again = before === 'directory' && kind === 'directory';
    if (before !== undefined && !again) {
      throw new UnsafeArchive(`entry ${quoted(name)} comes twice`);
    }
    this.#kinds.set(own, kind);
  }
}

function partsOf(name: string): readonly string[] {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  const isUnsafe =
    name.startsWith('/') ||
    name.includes('\0') ||
    parts.includes('..') ||
    parts.length > MAX_DEPTH ||
    Buffer.byteLength(name) > MAX_PATH ||
    parts.some((part) => Buffer.byteLength(part) > MAX_NAME);
  if (isUnsafe) throw new UnsafeArchive(`the archive has an entry ${quoted(name)}`);
  return parts;
}

/** Names are foreign input, and messages go to terminals. */
function quoted(name: string): string {
  const short = name.length > 100 ? `${name.slice(0, 100)}…` : name;
  return JSON.stringify(short).replaceAll(/\p{Cc}/gu, '?');
}

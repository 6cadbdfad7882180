/** The files of the web UI, as `scripts/build.ts` leaves them in `dist/web`. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { acceptsEncoding } from '../accepted-encoding.ts';

/** In order of preference; the build writes compressed files beside the originals. */
const ENCODINGS = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const;

/** The page has this where the nonce of its policy belongs. */
const NONCE = '__CSP_NONCE__';

/** Names of these files contain a hash of their content. */
const HASHED = 'assets/';

export interface WebFile {
  /** From the folder, with slashes. */
  readonly path: string;
  /** Never changes under this name. */
  readonly isImmutable: boolean;
  readonly body: Buffer;
  /** The encoding of `body`; null = not compressed. */
  readonly encoding: string | null;
  readonly hasEncodings: boolean;
  /** Differs for each content and encoding. */
  readonly etag: string;
}

/**
 * All files of one build, read once. An upgrade replaces the files on the disk under a server that runs, and a
 * page of one build cannot load the parts of another. Of files with compressed forms only those are kept.
 */
export class WebFiles {
  readonly #page: readonly string[];
  readonly #bodies: ReadonlyMap<string, Buffer>;
  readonly #etags: ReadonlyMap<Buffer, string>;
  /** Hashes of the scripts inside the page, for its content security policy: `sha256-…`. */
  readonly scriptHashes: readonly string[];

  private constructor(page: string, bodies: ReadonlyMap<string, Buffer>) {
    this.#page = page.split(NONCE);
    this.#bodies = bodies;
    this.#etags = new Map([...bodies.values()].map((body) => [body, etagOf(body)]));
    this.scriptHashes = inlineScripts(page).map(
      (script) => `sha256-${createHash('sha256').update(script).digest('base64')}`,
    );
  }

  /** Null: the UI has not been built. */
  static async open(dir: string): Promise<WebFiles | null> {
    try {
      const page = await readFile(join(dir, 'index.html'), 'utf8');
      const paths = await pathsIn(dir);
      const kept = [...paths].filter((path) => !paths.has(`${path}.gz`));
      const bodies = new Map<string, Buffer>();
      // One after the other: a server that may open few files starts as well.
      for (const path of kept) bodies.set(path, await readFile(join(dir, path)));
      return new WebFiles(page, bodies);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }

  /** The one page of the UI; its URL selects what it shows. */
  page(nonce: string): string {
    return this.#page.join(nonce);
  }

  /**
   * Null: there is no such file. Only names from the folder are known, so no path leads out of it.
   * `accepted`: the header `Accept-Encoding`.
   */
  async find(path: string, accepted: string | undefined): Promise<WebFile | null> {
    if (!isServed(path)) return null;
    const encodings = ENCODINGS.filter(([, suffix]) => this.#bodies.has(path + suffix));
    const [encoding = null, suffix = ''] =
      encodings.find(([name]) => acceptsEncoding(accepted ?? '', name)) ?? [];
    const body = this.#bodies.get(path + suffix) ?? (await this.#decoded(path));
    if (body === null) return null;
    const isImmutable = path.startsWith(HASHED);
    const hasEncodings = encodings.length > 0;
    const etag = this.#etags.get(body) ?? etagOf(body);
    return { path, isImmutable, body, encoding, hasEncodings, etag };
  }

  /** For the few clients that accept no encoding. */
  async #decoded(path: string): Promise<Buffer | null> {
    const zipped = this.#bodies.get(`${path}.gz`);
    return zipped === undefined ? null : await promisify(gunzip)(zipped);
  }
}

/** Scripts of files have attributes. */
function inlineScripts(page: string): string[] {
  const [, ...parts] = page.split('<script>');
  return parts.map((part) => part.split('</script>', 1)[0] ?? '');
}

function etagOf(body: Buffer): string {
  return `"${createHash('sha1').update(body).digest('base64url')}"`;
}

async function pathsIn(dir: string): Promise<ReadonlySet<string>> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return new Set(
    files.map(({ parentPath, name }) => relative(dir, join(parentPath, name)).replaceAll(sep, '/')),
  );
}

/** The page has a route of its own; hidden files and compressed ones have none. */
function isServed(path: string): boolean {
  return !/^\.|\/\.|\.(br|gz|html)$/.test(path);
}

/** The files of the web UI, as `scripts/build.ts` leaves them in `dist/web`. */
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';

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
  /** The path of the file to send, and its encoding; null = as it is. */
  readonly chosen: string;
  readonly encoding: string | null;
  readonly hasEncodings: boolean;
}

export class WebFiles {
  readonly dir: string;
  readonly #page: readonly string[];
  readonly #paths: ReadonlySet<string>;

  private constructor(dir: string, page: string, paths: ReadonlySet<string>) {
    this.dir = dir;
    this.#page = page.split(NONCE);
    this.#paths = paths;
  }

  /** Null: the UI has not been built. */
  static async open(dir: string): Promise<WebFiles | null> {
    try {
      const page = await readFile(join(dir, 'index.html'), 'utf8');
      const entries = await readdir(dir, { recursive: true, withFileTypes: true });
      const files = entries.filter((entry) => entry.isFile());
      const paths = files.map(({ parentPath, name }) =>
        relative(dir, join(parentPath, name)).replaceAll(sep, '/'),
      );
      return new WebFiles(dir, page, new Set(paths));
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
  find(path: string, accepted: string | undefined): WebFile | null {
    if (!this.#paths.has(path) || !isServed(path)) return null;
    const encodings = ENCODINGS.filter(([, suffix]) => this.#paths.has(path + suffix));
    const [encoding = null, suffix = ''] =
      encodings.find(([name]) => accepts(accepted ?? '', name)) ?? [];
    return {
      path,
      isImmutable: path.startsWith(HASHED),
      chosen: path + suffix,
      encoding,
      hasEncodings: encodings.length > 0,
    };
  }
}

/** The page has a route of its own; hidden files and compressed ones have none. */
function isServed(path: string): boolean {
  return !/^\.|\/\.|\.(br|gz|html)$/.test(path);
}

function accepts(header: string, encoding: string): boolean {
  return header.split(',').some((part) => {
    const [name = '', ...parameters] = part.split(';');
    const isRefused = parameters.some((parameter) => /^\s*q=0(\.0*)?\s*$/.test(parameter));
    return name.trim().toLowerCase() === encoding && !isRefused;
  });
}

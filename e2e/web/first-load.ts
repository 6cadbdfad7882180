import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** The built web UI. */
export const webFolder = join(import.meta.dirname, '..', '..', 'dist', 'web');

interface Chunk {
  readonly file: string;
  readonly imports?: readonly string[];
  readonly css?: readonly string[];
}

/** The files that the pages of the built web UI load before they can run. */
export class FirstLoads {
  readonly #manifest: Readonly<Record<string, Chunk>> = JSON.parse(
    readFileSync(join(webFolder, '.vite', 'manifest.json'), 'utf8'),
  );
  /** The sources of all pages. */
  readonly pages = Object.keys(this.#manifest).filter((name) =>
    /^src\/pages\/.*-page\.tsx$/.test(name),
  );

  /** All files that the page and the frame around it need. */
  files(page: string, kind: 'js' | 'css'): ReadonlySet<string> {
    const seen = new Set<string>();
    const files = new Set<string>();
    const add = (name: string): void => {
      const chunk = this.#manifest[name];
      if (chunk === undefined || seen.has(name)) return;
      seen.add(name);
      for (const file of kind === 'js' ? [chunk.file] : (chunk.css ?? [])) files.add(file);
      for (const imported of chunk.imports ?? []) add(imported);
    };
    for (const name of ['index.html', page]) add(name);
    return files;
  }

  /** Returns the bytes that browsers receive. Files too small to be compressed have no copy. */
  size(page: string, kind: 'js' | 'css'): number {
    return [...this.files(page, kind)].reduce((sum, file) => {
      const path = join(webFolder, file);
      const copy = statSync(`${path}.gz`, { throwIfNoEntry: false });
      return sum + (copy ?? statSync(path)).size;
    }, 0);
  }
}

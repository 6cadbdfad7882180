import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const dist = join(import.meta.dirname, '..', 'dist', 'web');

interface Chunk {
  readonly file: string;
  readonly imports?: readonly string[];
  readonly css?: readonly string[];
}

const manifest: Readonly<Record<string, Chunk>> = JSON.parse(
  readFileSync(join(dist, '.vite', 'manifest.json'), 'utf8'),
);
const pages = Object.keys(manifest).filter((name) => /^src\/pages\/.*-page\.tsx$/.test(name));

/** All files that the chunks need before they can run. */
function filesOf(names: readonly string[], kind: 'js' | 'css'): Set<string> {
  const seen = new Set<string>();
  const files = new Set<string>();
  const add = (name: string): void => {
    const chunk = manifest[name];
    if (chunk === undefined || seen.has(name)) return;
    seen.add(name);
    for (const file of kind === 'js' ? [chunk.file] : (chunk.css ?? [])) files.add(file);
    for (const imported of chunk.imports ?? []) add(imported);
  };
  for (const name of names) add(name);
  return files;
}

/** As browsers receive them, in bytes. Files too small to be compressed have no copy. */
function compressedSize(files: Iterable<string>): number {
  return [...files].reduce((sum, file) => {
    const path = join(dist, file);
    const copy = statSync(`${path}.gz`, { throwIfNoEntry: false });
    return sum + (copy ?? statSync(path)).size;
  }, 0);
}

describe('the first load of a page', () => {
  it('is measured for all pages', () => {
    expect(pages.length).toBeGreaterThan(6);
  });

  it.each(pages)('%s has at most 235 kB of scripts and 40 kB of styles', (page) => {
    expect(compressedSize(filesOf(['index.html', page], 'js'))).toBeLessThanOrEqual(235_000);
    expect(compressedSize(filesOf(['index.html', page], 'css'))).toBeLessThanOrEqual(40_000);
  });
});

it('requests nothing from other servers', () => {
  const styles = [...filesOf(['index.html', ...pages], 'css')];
  for (const file of ['index.html', 'theme.js', ...styles]) {
    expect(readFileSync(join(dist, file), 'utf8')).not.toMatch(
      /(src|href)="?https?:|url\("?https?:/,
    );
  }
});

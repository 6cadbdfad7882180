/** The pages of the documentation, as the site has them. */
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';

export interface SitePage {
  /** Path on the site. */
  readonly id: string;
  readonly path: string;
  readonly title: string;
  /** The first sentence. */
  readonly summary: string;
}

/** Pages for developers of dstack. */
const INTERNAL = /^(site|checklists|decisions)\/|^architecture$/;

/** `generated`: the folder of the references, which may be absent. */
export async function docPages(root: string, generated: string): Promise<SitePage[]> {
  const pages: SitePage[] = [];
  for (const folder of [join(root, 'docs'), generated]) {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (!entry.isFile() || !entry.name.endsWith('.md')) continue;
      const path = join(entry.parentPath, entry.name);
      const id = relative(folder, path).split(sep).join('/').replace(/\.md$/, '');
      if (INTERNAL.test(id) || id.includes('node_modules')) continue;
      pages.push(await pageAt(id, path));
    }
  }
  pages.push(await pageAt('security', join(root, 'SECURITY.md')));
  return pages.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The first paragraph below the title of a page; null if it is not prose. */
export function firstParagraph(text: string): string | null {
  const [, first = ''] = text.split(/\n\n+/);
  return /^(```| {4}|[|#]|- )/.test(first) ? null : first;
}

async function pageAt(id: string, path: string): Promise<SitePage> {
  const text = await readFile(path, 'utf8');
  const title = /^# (.+)$/m.exec(text)?.[1] ?? id;
  const first = firstParagraph(text) ?? '';
  const sentence = first.replaceAll('\n', ' ').replace(/\[([^\]]+)\]\([^)]*\)/g, '$1');
  return { id, path, title, summary: /^.*?\.(?=\s|$)/.exec(sentence)?.[0] ?? sentence };
}

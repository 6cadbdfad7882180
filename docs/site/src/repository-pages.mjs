/**
 * Loads the Markdown files of the repository as pages. They stay plain files that read well where they
 * are: the title is their first heading, and links lead from file to file.
 */
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const docs = fileURLToPath(new URL('../../', import.meta.url));
const generated = process.env.DSTACK_DOCS_GENERATED ?? join(docs, 'site', '.generated');
const BASE = '/docs/';

/** Pages for developers of dstack. */
const INTERNAL = /^(site|checklists|decisions)\/|^architecture$/;

/** Files outside of the folder that are pages too. */
const ELSEWHERE = { security: '../SECURITY.md' };

/** The first page has no sidebar entry. */
const HOME = 'quickstart';

export function repositoryPages() {
  return {
    name: 'repository-pages',
    load: async ({ store, parseData, renderMarkdown }) => {
      store.clear();
      const sources = await pages();
      for (const [id, path] of sources) {
        const { title, body } = split(await readFile(path, 'utf8'));
        const linked = withHeaders(withLinks(body, id, new Set(sources.keys())));
        const data = await parseData({ id, data: { title, editUrl: false } });
        const rendered = focusable(await renderMarkdown(linked), id);
        store.set({ id, data, body: linked, rendered });
        if (id === HOME) {
          const home = await parseData({ id: 'index', data: { title, editUrl: false } });
          store.set({
            id: 'index',
            data: home,
            body: linked,
            rendered,
          });
        }
      }
    },
  };
}

async function pages() {
  const found = new Map();
  for (const folder of [docs, generated]) {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (!entry.isFile() || !entry.name.endsWith('.md')) continue;
      const path = join(entry.parentPath, entry.name);
      const id = relative(folder, path).split(sep).join('/').replace(/\.md$/, '');
      if (!INTERNAL.test(id) && !id.includes('node_modules')) found.set(id, path);
    }
  }
  for (const [id, path] of Object.entries(ELSEWHERE)) found.set(id, join(docs, path));
  return found;
}

function split(text) {
  const title = /^# (.+)$/m.exec(text);
  if (title === null) throw new Error('a page has no title: its first line is not `# …`');
  return { title: title[1].replaceAll('`', ''), body: text.replace(title[0], '').trimStart() };
}

/** `[text](other.md#part)` → the page; links to files that are no pages become their text. */
function withLinks(body, id, known) {
  return body.replace(/(?<!!)\[([^\]]+)\]\(([^)\s]+)\)/g, (whole, text, target) => {
    if (/^(https?:|mailto:|#|\/)/.test(target)) return whole;
    const [file, part] = target.split('#');
    const page = pageOf(posix.join(dirname(id), file));
    if (!known.has(page)) return text;
    return `[${text}](${BASE}${page}/${part ? `#${part}` : ''})`;
  });
}

/** Screen readers announce the headers of a table, so none is empty. */
function withHeaders(body) {
  return body.replace(/^(\|.*\|)\n(?=\| ?-)/gm, (_, head) => {
    const cells = head.slice(1, -1).split('|');
    const named = cells.map((cell, at) => {
      if (cell.trim() !== '') return cell;
      return at === 0 ? ' Subject ' : ' Description ';
    });
    return `|${named.join('|')}|\n`;
  });
}

/** Wide tables scroll, also by keyboard. */
function focusable(rendered, id) {
  if (!id.startsWith('reference/')) return rendered;
  return { ...rendered, html: rendered.html.replaceAll('<table>', '<table tabindex="0">') };
}

function pageOf(path) {
  const inside = path.replace(/^docs\//, '').replace(/\.md$/, '');
  if (/(^|\/)SECURITY$/.test(inside)) return 'security';
  return inside;
}

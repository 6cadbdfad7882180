import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';

export interface DocPage {
  /** The path from the folder of the documentation, without `.md`. */
  readonly name: string;
  readonly title: string;
}

export interface DocPages {
  list(): Promise<readonly DocPage[]>;
  /** Null: there is no such page. */
  read(name: string): Promise<string | null>;
}

/** Pages for developers of dstack, which its users do not need. */
const INTERNAL = /^(site|checklists|decisions)\/|^architecture$/;

/** The Markdown files of a folder, which may be absent. */
export function docsInFolder(folder: string): DocPages {
  const list = async (): Promise<DocPage[]> => {
    const names = await namesIn(folder);
    return Promise.all(
      names.map(async (name) => ({ name, title: titleOf(await text(folder, name), name) })),
    );
  };
  return {
    list,
    // Only names of the list, so that no name leads out of the folder.
    read: async (name) => ((await namesIn(folder)).includes(name) ? text(folder, name) : null),
  };
}

async function namesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)).replaceAll(sep, '/'))
    .filter((path) => !path.includes('node_modules/'))
    .map((path) => path.replace(/\.md$/, ''))
    .filter((name) => !INTERNAL.test(name))
    .sort();
}

function text(folder: string, name: string): Promise<string> {
  return readFile(join(folder, `${name}.md`), 'utf8');
}

function titleOf(content: string, name: string): string {
  return /^# (.+)$/m.exec(content)?.[1] ?? name;
}

import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Path of one of the agent's side programs: beside the bundle when bundled, else its source.
 * `source` is relative to the agent's `src`.
 */
export function programEntry(bundled: string, source: string): string {
  const here = import.meta.url;
  const url = here.endsWith('.ts') ? new URL(`../${source}`, here) : new URL(bundled, here);
  return fileURLToPath(url);
}

/**
 * How to start Node. Where it runs by a loader of its own (`ld.so --library-path lib node`) the
 * path of this process is the loader's, so whoever started the agent says it in words.
 */
export function nodeCommand(): [string, ...string[]] {
  const [first, ...rest] = process.env.DSTACK_AGENT_NODE?.split(' ') ?? [];
  return first ? [first, ...rest] : [process.execPath];
}

/** Folders of Node and of the side programs, each once, without those within another one. */
export function programFolders(): readonly string[] {
  const isSource = import.meta.url.endsWith('.ts');
  // Sources import each other across the packages of their workspace.
  const programs = isSource
    ? fileURLToPath(new URL('../../../..', import.meta.url)).replace(/\/$/, '')
    : dirname(fileURLToPath(import.meta.url));
  const node = dirname(process.execPath);
  return node.startsWith(`${programs}/`) ? [programs] : [programs, node];
}

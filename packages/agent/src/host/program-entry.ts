import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Path of one of the agent's side programs: beside the bundle if bundled, else its source. `source`
 * is relative to the agent's `src`.
 */
export function programEntry(bundled: string, source: string): string {
  const here = import.meta.url;
  const url = here.endsWith('.ts') ? new URL(`../${source}`, here) : new URL(bundled, here);
  return fileURLToPath(url);
}

/**
 * The command that starts Node. If Node runs by its own loader (`ld.so --library-path lib node`),
 * the path of this process is the loader's, so the starter of the agent passes the command.
 */
export function nodeCommand(): [string, ...string[]] {
  const [first, ...rest] = process.env.DSTACK_AGENT_NODE?.split(' ') ?? [];
  return first ? [first, ...rest] : [process.execPath];
}

/** Folders of Node and of the side programs, each once, without those within another one. */
export function programFolders(): readonly string[] {
  const isSource = import.meta.url.endsWith('.ts');
  // Sources import other packages of their workspace.
  const programs = isSource
    ? fileURLToPath(new URL('../../../..', import.meta.url)).replace(/\/$/, '')
    : dirname(fileURLToPath(import.meta.url));
  const node = dirname(process.execPath);
  return node.startsWith(`${programs}/`) ? [programs] : [programs, node];
}

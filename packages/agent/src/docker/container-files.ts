import { pipeline, type Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type Docker from 'dockerode';
import { extract } from 'tar-stream';
import { statusOf } from './engine-error.ts';

/** A list of accounts has a few kilobytes. */
const MAX_BYTES = 1024 * 1024;
const MAX_LINKS = 8;

/**
 * Text of one file of a container, which need not run. Null if the file is missing, is not a
 * regular file, or is longer than any honest one. Links are followed.
 */
export async function readContainerFile(
  container: Pick<Docker.Container, 'getArchive'>,
  path: string,
  depth = 0,
): Promise<string | null> {
  let archive: Readable;
  try {
    archive = (await container.getArchive({ path })) as Readable;
  } catch (error) {
    if (statusOf(error) === 404) return null;
    throw error;
  }
  const found = await firstEntry(archive);
  if (found === null || 'text' in found) return found?.text ?? null;
  const base = new URL(`file://${path}`);
  if (depth >= MAX_LINKS || !URL.canParse(found.link, base.href)) return null;
  return readContainerFile(container, new URL(found.link, base).pathname, depth + 1);
}

/** Read only what is needed: a whole tree may follow, or an endless stream. */
async function firstEntry(
  archive: Readable,
): Promise<{ readonly text: string } | { readonly link: string } | null> {
  const entries = extract();
  pipeline(archive, entries, () => {});
  for await (const entry of entries) {
    const { type, linkname, size = 0 } = entry.header;
    if (type === 'symlink') return linkname ? { link: linkname } : null;
    if (type !== 'file' || size > MAX_BYTES) return null;
    return { text: await text(entry as unknown as Readable) };
  }
  return null;
}

/** Whether a path exists in a container. */
export async function existsInContainer(
  container: Docker.Container,
  path: string,
): Promise<boolean> {
  try {
    await container.infoArchive({ path });
    return true;
  } catch (error) {
    if (statusOf(error) === 404) return false;
    throw error;
  }
}

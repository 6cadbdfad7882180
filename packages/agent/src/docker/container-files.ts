import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { extract } from 'tar-stream';
import { statusOf } from './engine-error.ts';

/** Text of one file of a container, running or not; null when it is missing. Links are followed. */
export async function readContainerFile(
  container: Docker.Container,
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
  let text: string | null = null;
  let link: string | null = null;
  const entries = archive.pipe(extract());
  for await (const entry of entries) {
    const parts: Buffer[] = [];
    for await (const part of entry) parts.push(part as Buffer);
    if (entry.header.type === 'file') text ??= Buffer.concat(parts).toString();
    if (entry.header.type === 'symlink') link ??= entry.header.linkname ?? null;
  }
  if (link === null || depth > 8) return text;
  const base = new URL(`file://${path}`);
  return readContainerFile(container, new URL(link, base).pathname, depth + 1);
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

import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, pack } from 'tar-stream';

export interface TarFile {
  readonly name: string;
  readonly bytes: Buffer;
  /** Rights; an executable of all users if omitted. */
  readonly mode?: number;
}

/** Always the same, so that equal files give equal archives. */
const MTIME = new Date(0);

/** An archive of plain files of root. */
export async function tarOf(files: readonly TarFile[]): Promise<Buffer> {
  const archive = pack();
  for (const { name, bytes, mode = 0o755 } of files) {
    archive.entry({ name, mode, mtime: MTIME, uid: 0, gid: 0 }, bytes);
  }
  archive.finalize();
  return await buffer(archive);
}

/** The files of a compressed archive, without their rights. */
export async function filesIn(compressed: Readable): Promise<TarFile[]> {
  const files: TarFile[] = [];
  const archive = extract();
  const read = (async () => {
    for await (const entry of archive) {
      files.push({ name: entry.header.name, bytes: await buffer(entry) });
    }
  })();
  await pipeline(compressed, createGunzip(), archive);
  await read;
  return files;
}

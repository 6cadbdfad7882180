/** The disk of the host: a full one is reported. */
import { statfs } from 'node:fs/promises';

/** Below this much room the next write may fail, in bytes. */
const LEAST_ROOM = 8 * 1024 * 1024;
const LEAST_FILES = 100;

/** Free space on the disk of a folder. `files` and `mostFiles` are 0 where the disk has no limit on files. */
export interface DiskRoom {
  readonly bytes: number;
  readonly files: number;
  readonly mostFiles: number;
}

/** Null: there is enough room, or it is not known. */
export async function fullDisk(
  folder: string,
  roomOf: (folder: string) => Promise<DiskRoom> = roomOn,
): Promise<string | null> {
  const room = await roomOf(folder).catch(() => null);
  if (room === null) return null;
  const hasFiles = room.mostFiles === 0 || room.files >= LEAST_FILES;
  if (room.bytes >= LEAST_ROOM && hasFiles) return null;
  const what = hasFiles ? 'is full' : 'can hold no more files';
  return `The disk of ${folder} on its host ${what}: requests are answered, but the use of models is not counted, and changes of services and certificates are lost if the gateway restarts without the server. Make room there`;
}

async function roomOn(folder: string): Promise<DiskRoom> {
  const { bavail, bsize, ffree, files } = await statfs(folder);
  return { bytes: bavail * bsize, files: ffree, mostFiles: files };
}

import { access, mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Blobs } from '@dstack/store';

/**
 * Uploaded archives and diffs as files, by SHA-256 of their bytes, for a server that shares its
 * database with no other. A blob appears under its name only when it is whole and on disk.
 */
export function fileBlobs(dir: string): Blobs {
  const pathOf = (sha256: string) => join(dir, sha256.slice(0, 2), sha256);
  return {
    async has(sha256) {
      try {
        await access(pathOf(sha256));
        return true;
      } catch {
        // Not there is the only answer `access` has.
        return false;
      }
    },
    async put(sha256, bytes) {
      const path = pathOf(sha256);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const part = `${path}.${process.pid}.part`;
      const file = await open(part, 'w', 0o600);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(part, path);
    },
    async get(sha256) {
      try {
        return await readFile(pathOf(sha256));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
        throw error;
      }
    },
  };
}

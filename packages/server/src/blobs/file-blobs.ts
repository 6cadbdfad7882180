import { randomUUID } from 'node:crypto';
import { access, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Serial } from '../logs/serial.ts';
import type { BlobDraft, DraftedBlobs } from './drafts.ts';

/**
 * Uploaded archives and diffs as files, named by the SHA-256 of their bytes, for a server that does
 * not share its database. A blob gets its name only when it is complete and on disk.
 */
export function fileBlobs(dir: string): DraftedBlobs {
  const pathOf = (sha256: string) => join(dir, sha256.slice(0, 2), sha256);
  const drafts = join(dir, 'drafts');
  // A blob is not deleted between the check of its age and a rename that makes it young again.
  const serial = new Serial();
  let prepared: Promise<void> | null = null;
  const draft = async () => {
    // A folder that could not be prepared, for example on a full disk, is prepared again next time.
    prepared ??= emptyFolder(drafts).catch((error: unknown) => {
      prepared = null;
      throw error;
    });
    await prepared;
    return await fileDraft(join(drafts, randomUUID()), pathOf, serial);
  };
  return {
    async has(sha256) {
      try {
        await access(pathOf(sha256));
        return true;
      } catch {
        // `access` fails only if the file is missing.
        return false;
      }
    },
    async put(sha256, bytes) {
      const whole = await draft();
      try {
        await whole.write(bytes);
        await whole.keep(sha256);
      } finally {
        await whole.discard();
      }
    },
    async get(sha256) {
      try {
        return await readFile(pathOf(sha256));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
        throw error;
      }
    },
    delete: (sha256, storedBefore) =>
      serial.run(async () => {
        const path = pathOf(sha256);
        const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
          if (error.code === 'ENOENT') return null;
          throw error;
        });
        if (found === null) return true;
        if (found.mtimeMs * 1000 >= storedBefore) return false;
        await rm(path, { force: true });
        return true;
      }),
    draft,
  };
}

/** Removes drafts that a killed server has left behind. */
async function emptyFolder(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true, mode: 0o700 });
}

async function fileDraft(path: string, pathOf: (sha256: string) => string, serial: Serial) {
  const file = await open(path, 'wx', 0o600);
  let isOpen = true;
  const close = async () => {
    if (!isOpen) return;
    isOpen = false;
    await file.close();
  };
  return {
    write: async (piece: Uint8Array) => {
      await file.writeFile(piece);
    },
    keep: async (sha256) => {
      await file.sync();
      await close();
      const target = pathOf(sha256);
      await mkdir(dirname(target), { recursive: true, mode: 0o700 });
      await serial.run(() => rename(path, target));
    },
    discard: async () => {
      await close();
      await rm(path, { force: true });
    },
  } satisfies BlobDraft;
}

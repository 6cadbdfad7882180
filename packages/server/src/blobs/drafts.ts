/** Blobs that arrive in pieces and whose hash is known only at the end. */

import { Gathered } from '@dstack/proxy';
import type { Blobs } from '@dstack/store';

/** Ends with `keep` or `discard`. */
export interface BlobDraft {
  write(piece: Buffer): Promise<void>;
  /** Stores the blob under this name. */
  keep(sha256: string): Promise<void>;
  /** Removes the draft; does nothing after `keep`. */
  discard(): Promise<void>;
}

export interface DraftedBlobs extends Blobs {
  /** `reserve` is called for memory that the draft uses, and throws if there is not enough. */
  draft(reserve: (bytes: number) => void): Promise<BlobDraft>;
}

/** For blobs in a database, which are written as a whole. */
export function draftedInMemory(blobs: Blobs): DraftedBlobs {
  return {
    has: (sha256) => blobs.has(sha256),
    get: (sha256) => blobs.get(sha256),
    put: (sha256, bytes) => blobs.put(sha256, bytes),
    delete: (sha256, storedBefore) => blobs.delete(sha256, storedBefore),
    draft: async (reserve) => {
      const gathered = new Gathered(reserve);
      return {
        write: async (piece) => gathered.add(piece),
        keep: (sha256) => blobs.put(sha256, gathered.bytes()),
        discard: async () => {},
      };
    },
  };
}

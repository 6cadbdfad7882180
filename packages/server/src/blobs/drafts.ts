/** Blobs that come in pieces and whose hash is known at their end. */
import type { Blobs } from '@dstack/store';
import { Gathered } from '../gathered.ts';

/** One of `keep` and `discard` ends it. */
export interface BlobDraft {
  write(piece: Buffer): Promise<void>;
  /** From now on it is there under this name. */
  keep(sha256: string): Promise<void>;
  /** Nothing of it stays. */
  discard(): Promise<void>;
}

export interface DraftedBlobs extends Blobs {
  /** `reserve` is asked for every byte that the draft has in memory, and throws where there is no room. */
  draft(reserve: (bytes: number) => void): Promise<BlobDraft>;
}

/** For blobs in a database, which takes them whole. */
export function draftedInMemory(blobs: Blobs): DraftedBlobs {
  return {
    has: (sha256) => blobs.has(sha256),
    get: (sha256) => blobs.get(sha256),
    put: (sha256, bytes) => blobs.put(sha256, bytes),
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

import type { Id, Timestamp } from '@dstack/core';
import type { FileArchiveRecord } from '../schema/account-records.ts';

/** The uploaded bytes. Only for servers that share a database: others keep files. */
export interface Blobs {
  has(sha256: string): Promise<boolean>;
  /** The same bytes twice are stored once. */
  put(sha256: string, bytes: Uint8Array): Promise<void>;
  get(sha256: string): Promise<Uint8Array | null>;
  /** False: it stays, because it was stored at or after `storedBefore`. */
  delete(sha256: string, storedBefore: Timestamp): Promise<boolean>;
}

export interface Files {
  archiveByHash(userId: Id, hash: string): Promise<FileArchiveRecord | null>;
  archivesByIds(ids: readonly Id[]): Promise<FileArchiveRecord[]>;
  /** The first one with this hash stays. */
  insertArchive(archive: FileArchiveRecord): Promise<FileArchiveRecord>;
  readonly blobs: Blobs;
}

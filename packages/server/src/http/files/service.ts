/** Archives of `files`, kept per user. */
import { notExists } from '@dstack/contract/api';
import type { FileArchive } from '@dstack/contract/wire';
import type { UserRecord } from '@dstack/store';
import type { HttpDeps } from '../ports.ts';
import type { UploadedFile } from '../uploads.ts';

export async function archiveByHash(
  deps: HttpDeps,
  user: UserRecord,
  hash: string,
): Promise<FileArchive> {
  const archive = await deps.store.files.archiveByHash(user.id, hash);
  if (archive === null) throw notExists(`Archive ${hash} not found`);
  return { id: archive.id, hash: archive.hash };
}

/** Uploading the same hash again returns the first upload. */
export async function uploadArchive(
  deps: HttpDeps,
  user: UserRecord,
  file: UploadedFile,
): Promise<FileArchive> {
  const { now, newId } = deps.context();
  const archive = await deps.store.files.insertArchive({
    id: newId(),
    userId: user.id,
    hash: file.hash,
    sha256: file.hash,
    size: file.size,
    createdAt: now,
  });
  return { id: archive.id, hash: archive.hash };
}

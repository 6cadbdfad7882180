import type {
  FileArchive,
  RemoteRepoCreds,
  RepoHeadWithCreds,
  RepoInfo,
} from '@dstack/contract/wire';
import { ResourceNotExistsError } from '../errors.ts';
import type { Transport } from '../transport.ts';

/** Calls on the repos of one project. */
export function reposOf(transport: Transport, base: string) {
  return {
    list: (): Promise<readonly { readonly repo_id: string }[]> =>
      transport.read(`${base}/repos/list`),
    get: (repoId: string, includeCreds = true): Promise<RepoHeadWithCreds> =>
      transport.read(`${base}/repos/get`, { repo_id: repoId, include_creds: includeCreds }),
    /** Creates or updates the repo; idempotent. */
    init: (repoId: string, info: RepoInfo, creds: RemoteRepoCreds | null): Promise<void> =>
      transport.write(`${base}/repos/init`, {
        repo_id: repoId,
        repo_info: info,
        repo_creds: creds,
      }),
    /** Uploads a diff; `hash` is the SHA-256 hex of its bytes. */
    uploadCode: (repoId: string, hash: string, diff: Uint8Array): Promise<void> =>
      transport.upload(`${base}/repos/upload_code`, { repo_id: repoId }, hash, diff),
  };
}

/** Calls on the caller's uploaded file archives. */
export function filesOf(transport: Transport) {
  return {
    /** The archive the server already has, or null. */
    async findByHash(hash: string): Promise<FileArchive | null> {
      try {
        return await transport.read<FileArchive>('/api/files/get_archive_by_hash', { hash });
      } catch (error) {
        if (error instanceof ResourceNotExistsError) return null;
        throw error;
      }
    },
    /** Uploads a tar archive; `hash` is the SHA-256 hex of its bytes. */
    upload: (hash: string, archive: Uint8Array): Promise<FileArchive> =>
      transport.upload('/api/files/upload_archive', {}, hash, archive),
  };
}

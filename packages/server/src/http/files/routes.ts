import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { archiveByHash, uploadArchive } from './service.ts';

export function fileRoutes(on: On, deps: HttpDeps): void {
  on('files.get_archive_by_hash', ({ user, body }) => archiveByHash(deps, user, body.hash));
  on('files.upload_archive', async ({ user, file }) => uploadArchive(deps, user, await file()));
}

import { WIRE_VERSION } from '@dstack/contract/wire';
import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { serverStatus } from './status.ts';

export function serverInfoRoutes(on: On, deps: HttpDeps): void {
  on('server.get_info', async () => ({
    server_version: WIRE_VERSION,
    upload_limit: deps.settings.codeUploadLimit,
  }));
  on('server.status', () => serverStatus(deps));
}

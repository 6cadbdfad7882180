/**
 * The backend `local`, the server's machine, exists only in our code. Clients have a closed list of
 * backends, so it is `remote` for them, distinguished by its region `local`. No other code of the
 * server depends on this.
 */
import type { BackendType } from '@dstack/contract/wire';
import { type BackendName, LOCAL_BACKEND, SSH_HOST_BACKEND } from '@dstack/core';

export function wireBackend(name: BackendName): BackendType {
  return name === LOCAL_BACKEND ? SSH_HOST_BACKEND : name;
}

export function optionalWireBackend(name: BackendName | null | undefined): BackendType | null {
  return name == null ? null : wireBackend(name);
}

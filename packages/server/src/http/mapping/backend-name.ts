/**
 * The backend `local`, the machine of the server, is ours. Clients know a closed list of backends,
 * so it is `remote` for them; its region `local` tells it apart. Nothing else in the server knows.
 */
import type { BackendType } from '@dstack/contract/wire';
import { type BackendName, LOCAL_BACKEND, SSH_HOST_BACKEND } from '@dstack/core';

export function wireBackend(name: BackendName): BackendType {
  return name === LOCAL_BACKEND ? SSH_HOST_BACKEND : name;
}

export function optionalWireBackend(name: BackendName | null | undefined): BackendType | null {
  return name == null ? null : wireBackend(name);
}

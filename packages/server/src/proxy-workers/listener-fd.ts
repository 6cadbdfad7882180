import type { Server } from 'node:net';

/**
 * The descriptor of the socket on which the server listens. Node has no other way to a listening socket that is to
 * outlive its process: `cluster` and `child.send` end with the process that has opened it, while workers accept
 * connections without their server, and start further workers on the same socket. The name `_handle` is not documented,
 * so it is read here alone, and a Node without it fails here.
 */
export function listenerFd(server: Server): number {
  const { _handle: handle } = server as unknown as { readonly _handle?: { readonly fd?: number } };
  if (typeof handle?.fd === 'number' && handle.fd >= 0) return handle.fd;
  throw new Error('this version of Node does not show the descriptor of a listening socket');
}

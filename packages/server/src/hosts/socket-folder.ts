import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, rmdirSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * In a folder with a short name: the path of a unix socket may have 107 bytes, and a server's
 * folder can be anywhere.
 */
export function socketPath(stateDir: string): string {
  const name = createHash('sha256').update(stateDir).digest('hex').slice(0, 12);
  const folder = `dstack-${userId()}-${name}`;
  return join(process.env.XDG_RUNTIME_DIR ?? tmpdir(), folder, 'agent.sock');
}

/**
 * Creates the folder of the socket for this user only. Refuses an existing folder of another user.
 */
export function makeSocketFolder(socket: string): void {
  const dir = dirname(socket);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  refuseForeign(dir);
  chmodSync(dir, 0o700);
}

/** Removes the folder of the socket unless it has another one. */
export function removeEmptySocketFolder(socket: string): void {
  try {
    rmdirSync(dirname(socket));
  } catch {
    // Workers that continue have their sockets there, or it was removed already: nothing depends on it.
  }
}

/**
 * A connection for the agent's token. The folder is deleted with the agent, and in a folder where
 * all users may create folders another user could then take its name: that user must not get the
 * token.
 */
export function connectOwn(socket: string): Socket {
  try {
    refuseForeign(dirname(socket));
  } catch (error) {
    return new Socket().destroy(error as Error);
  }
  return connect(socket);
}

function refuseForeign(dir: string): void {
  const stat = lstatSync(dir);
  if (!stat.isDirectory() || stat.uid !== userId()) {
    throw new Error(`${dir} exists and belongs to another user; remove it or set XDG_RUNTIME_DIR`);
  }
}

function userId(): number {
  return process.getuid?.() ?? 0;
}

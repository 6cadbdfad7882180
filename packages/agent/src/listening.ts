import { chmodSync, existsSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { dirname } from 'node:path';
import type { EventLogger } from './host/log.ts';
import { ensureSocketFolder, restoreSocketFolder } from './socket-folder.ts';

export interface ListeningOptions {
  readonly http: Server;
  /** Path of the unix socket. A missing folder is created. */
  readonly path: string;
  readonly log: EventLogger;
  /** Milliseconds between two checks whether the socket still exists. */
  readonly lookMs: number;
}

/**
 * Listens at a unix socket until the returned function is called. A socket that was removed (with a
 * folder of temporary files or of a login session) is created again: without it the server could
 * not reach the agent, whose jobs continue.
 */
export async function listenAt({ http, path, log, lookMs }: ListeningOptions): Promise<() => void> {
  const folder = ensureSocketFolder(dirname(path));
  // The lock on the state directory guarantees that no other agent listens here.
  rmSync(path, { force: true });
  await listen(http, path);
  let busy = false;
  const look = async (): Promise<void> => {
    if (busy || existsSync(path)) return;
    busy = true;
    try {
      restoreSocketFolder(dirname(path), folder);
      // Connections stay open; only the unreachable listener is closed.
      if (http.listening) http.close();
      await listen(http, path);
      log.info('listening again, the socket was removed', { socket: path });
    } catch (error) {
      log.error('the socket was removed and cannot be made again', error, { socket: path });
    } finally {
      busy = false;
    }
  };
  const timer = setInterval(look, lookMs).unref();
  return () => {
    clearInterval(timer);
    http.close();
    rmSync(path, { force: true });
  };
}

async function listen(http: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject);
    http.listen(path, () => {
      http.off('error', reject);
      resolve();
    });
  });
  chmodSync(path, 0o660);
}

import { chmodSync, existsSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { dirname } from 'node:path';
import type { Logger } from './host/log.ts';
import { makeSocketFolder, restoreSocketFolder } from './socket-folder.ts';

export interface ListeningOptions {
  readonly http: Server;
  /** Of the unix socket; its folder is made where it is missing. */
  readonly path: string;
  readonly log: Logger;
  /** Milliseconds between two looks whether the socket is still there. */
  readonly lookMs: number;
}

/**
 * Listens at a unix socket until the answered function is called. A socket that somebody has removed
 * (a tidied folder of temporary files, a session's folder that went with the session) is made again:
 * without it nobody could reach the agent, whose jobs live on.
 */
export async function listenAt({ http, path, log, lookMs }: ListeningOptions): Promise<() => void> {
  const folder = makeSocketFolder(dirname(path));
  // The lock on the state directory says that no other agent of ours listens here.
  rmSync(path, { force: true });
  await listen(http, path);
  let busy = false;
  const look = async (): Promise<void> => {
    if (busy || existsSync(path)) return;
    busy = true;
    try {
      restoreSocketFolder(dirname(path), folder);
      // Connections stay; only the place where nobody can come in any more is given up.
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

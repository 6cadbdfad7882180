import { setTimeout as delay } from 'node:timers/promises';
import { type Address, checkAddress } from '../process/listen.ts';
import { isHeldByNginx } from './nginx/server-nginx.ts';
import { isHeldByWorkers, isWorkerStarting } from './worker-records.ts';

/** A worker has its record after this time, in milliseconds, also on a busy computer. */
const RECORD_MS = 10_000;
const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 200;

/**
 * Throws `StartError` if the address is held, except by workers or nginx of an earlier server. A worker that was
 * being started when that server was killed holds the address before it has a record. `dir`: of the server.
 */
export async function checkServerAddress(where: Address & { readonly dir: string }): Promise<void> {
  const end = performance.now() + RECORD_MS;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    if (isHeldByWorkers(where) || isHeldByNginx(where)) return;
    try {
      await checkAddress(where);
      return;
    } catch (error) {
      if (!isWorkerStarting(where.dir) || performance.now() > end) throw error;
    }
    await delay(pause);
  }
}

import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below the ports of outgoing connections (Linux: from 32768) and the node ports of Kubernetes (from 30000): a
 * connection of another suite could take a port of these before it is used.
 */
const FIRST = 15_000;
const LAST = 29_999;
const TRIES = 100;

/** A port of the loopback interface on which nothing listens. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1));
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port from ${FIRST} to ${LAST}`);
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  try {
    probe.listen(port, '127.0.0.1');
    await once(probe, 'listening');
  } catch {
    return false;
  }
  probe.close();
  await once(probe, 'close');
  return true;
}

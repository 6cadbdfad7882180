import { createHash } from 'node:crypto';

/**
 * The job's own address in 127.64.0.0/10, which is loopback on Linux: replicas of one service on
 * one host can all listen on the same port, each on its own address. Null if loopback is a single
 * address.
 */
export function listenAddress(jobId: string): string | null {
  if (process.platform !== 'linux') return null;
  const [a = 0, b = 0, c = 0] = createHash('sha256').update(jobId).digest();
  return `127.${64 + (a % 64)}.${b}.${1 + (c % 254)}`;
}

import type { RunQueue } from '@dstack/contract/wire';
import type { Transport } from '../transport.ts';

/** The queue of all projects that share fleets with this one; servers of dstack 0.22.5 have no such call. */
export function runQueueOf(transport: Transport, base: string) {
  return (limit = 100): Promise<RunQueue> => transport.read(`${base}/queue/list`, { limit });
}

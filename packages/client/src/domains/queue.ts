import type { CapacityBoard, RunQueue, Share, ShareList } from '@dstack/contract/wire';
import type { Transport } from '../transport.ts';

/** The queue of all projects that share fleets with this one; servers of dstack 0.22.5 have no such call. */
export function runQueueOf(transport: Transport, base: string) {
  return (limit = 100): Promise<RunQueue> => transport.read(`${base}/queue/list`, { limit });
}

/** Calls about the capacity of a project over time; servers of dstack 0.22.5 have none of them. */
export function capacityCalls(transport: Transport, base: string) {
  return {
    /** The jobs on these instances, 100 at most. */
    board: (instanceIds: readonly string[]): Promise<CapacityBoard> =>
      transport.read(`${base}/capacity/board`, { instance_ids: instanceIds }),
  };
}

/** Reads the usage of the projects of the same pool, and of their users; empty: the pool is not shared by weight. */
export function poolSharesOf(transport: Transport, base: string) {
  return async (): Promise<readonly Share[]> => {
    const { shares } = await transport.read<ShareList>(`${base}/shares/list`, {});
    return shares;
  };
}

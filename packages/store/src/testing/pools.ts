import type { Id, WaitingPool } from '@dstack/core';
import type { Store } from '../store.ts';

/** The snapshot that a placement pass reads of the pool of a project; null if nothing waits there. */
export async function waitingWork(
  { engine }: Pick<Store, 'engine'>,
  projectId: Id,
): Promise<WaitingPool | null> {
  const [poolId] = await engine.waitingFor({ kind: 'project', projectId });
  return poolId === undefined ? null : await engine.loadPlacement(poolId);
}

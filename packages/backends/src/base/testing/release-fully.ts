import type { InstanceHandle } from '@dstack/core';
import type { BackendWorld } from './backend-world.ts';

const MAX_RELEASES = 10;

/** Repeats the release until the provider has finished, as the server does. */
export async function releaseFully(
  world: Pick<BackendWorld, 'backend' | 'settle'>,
  handle: InstanceHandle,
): Promise<void> {
  for (let times = 0; times < MAX_RELEASES; times++) {
    if ((await world.backend.instances?.release(handle)) === 'released') return;
    await world.settle();
  }
  throw new Error('the instance is never released');
}

/** The slots and GPUs of servers' machines that a pass has not given away. */
import { isServerHost } from '../../capabilities/capabilities.ts';
import type { InstanceRecord, LocalUse, Offer, ServerHostUse } from '../../model/index.ts';
import { heldLocalGpus } from '../../offers/local-gpus.ts';
import { localHostOf } from '../../offers/local-limits.ts';

/** Each machine counts by itself: instances of another server take no place on it, whether that server is alive or not. */
export class LocalLedger {
  readonly #instances = new Map<string, number>();
  readonly #gpus = new Map<string, number>();

  constructor(machines: readonly ServerHostUse[]) {
    for (const { hostId, instances, busy } of machines) {
      this.#instances.set(hostId, instances);
      for (const use of busy) increase(this.#gpus, hostId, heldLocalGpus(use));
    }
  }

  instancesOn(offer: Offer): number {
    return this.#instances.get(localHostOf({ offer })) ?? 0;
  }

  /** GPUs of the machine that jobs hold, or will hold soon. */
  gpusOn(offer: Offer): number {
    return this.#gpus.get(localHostOf({ offer })) ?? 0;
  }

  /** Counts a new instance of this offer, with the GPUs that its job uses. */
  add(offer: Offer): void {
    this.holdPlace(offer);
    const { backend, blocks: busyBlocks, total_blocks: totalBlocks } = offer;
    const use: LocalUse = { backend, offer, totalBlocks, busyBlocks };
    increase(this.#gpus, localHostOf({ offer }), heldLocalGpus(use));
  }

  /** Counts a new instance that may be created later. */
  holdPlace(offer: Offer): void {
    if (isServerHost(offer.backend)) increase(this.#instances, localHostOf({ offer }), 1);
  }

  /** More blocks of an existing instance are in use. */
  claim(instance: InstanceRecord, before: number, after: number): void {
    if (!isServerHost(instance.backend)) return;
    const held = (busyBlocks: number) => heldLocalGpus({ ...instance, busyBlocks });
    increase(this.#gpus, localHostOf(instance), held(after) - held(before));
  }
}

function increase(counts: Map<string, number>, hostId: string, by: number): void {
  counts.set(hostId, (counts.get(hostId) ?? 0) + by);
}

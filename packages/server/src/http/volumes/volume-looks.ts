/** Has volumes looked for again when people look at them, or plan with them. */
import { capabilitiesOf, type VolumeRecord } from '@dstack/core';
import type { Store } from '@dstack/store';

/** In microseconds: a page that is loaded again and again costs no more. */
const OFTEN = 10_000_000;
/** Volumes that one request has looked for. */
const MOST = 20;
const REMEMBERED = 10_000;

/** Only in backends where it costs little; others are asked on their schedule. */
export class VolumeLooks {
  readonly #store: Pick<Store, 'engine'>;
  readonly #lookedAt = new Map<string, number>();

  constructor(store: Pick<Store, 'engine'>) {
    this.#store = store;
  }

  async at(volumes: readonly VolumeRecord[], now: number): Promise<void> {
    const due = volumes
      .filter(({ backend, handle, deleted, toBeDeleted }) => {
        return (
          handle !== null && !deleted && !toBeDeleted && capabilitiesOf(backend).currentVolumes
        );
      })
      .filter(({ id }) => now - (this.#lookedAt.get(id) ?? Number.NEGATIVE_INFINITY) >= OFTEN)
      .slice(0, MOST);
    if (due.length === 0) return;
    if (this.#lookedAt.size > REMEMBERED) this.#lookedAt.clear();
    for (const { id } of due) this.#lookedAt.set(id, now);
    await this.#store.engine.signal(due.map(({ id }) => ({ kind: 'volume-observation', id })));
  }
}

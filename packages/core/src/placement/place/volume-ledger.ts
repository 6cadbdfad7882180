import type { Id, MountableVolume, VolumeRecord } from '../../model/index.ts';

/**
 * The volumes that gangs of a pass may mount, and the instance of each volume that only one
 * instance can use at a time.
 */
export class VolumeLedger {
  readonly #byName = new Map<string, MountableVolume>();
  /** Instance of a volume; a new instance has a marker of its own. */
  readonly #holders = new Map<Id, string>();
  #newInstances = 0;

  constructor(volumes: readonly MountableVolume[]) {
    for (const one of volumes) {
      const { volume, attachments, users } = one;
      this.#byName.set(keyOf(volume.projectId, volume.name), one);
      const holder =
        attachments[0]?.instanceId ?? users.find((user) => user.instanceId)?.instanceId;
      if (holder && !volume.shared) this.#holders.set(volume.id, holder);
    }
  }

  named(projectId: Id, name: string): MountableVolume | null {
    return this.#byName.get(keyOf(projectId, name)) ?? null;
  }

  /** The instance that keeps a volume from all others; null = it may be attached anywhere. */
  holderOf({ id }: VolumeRecord): string | null {
    return this.#holders.get(id) ?? null;
  }

  /** `instanceId` null: an instance that this pass plans. */
  claim(volumes: readonly VolumeRecord[], instanceId: Id | null): void {
    if (volumes.length === 0) return;
    const holder = instanceId ?? `new ${++this.#newInstances}`;
    for (const volume of volumes) {
      if (!volume.shared) this.#holders.set(volume.id, holder);
    }
  }
}

function keyOf(projectId: Id, name: string): string {
  return `${projectId}/${name}`;
}

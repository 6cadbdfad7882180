import type { Id, MountableVolume, VolumeRecord } from '../model/index.ts';

/**
 * The volumes that gangs of a pass may mount, and which instance has each of those that only one
 * instance at a time can have.
 */
export class VolumeLedger {
  readonly #byName = new Map<string, MountableVolume>();
  /** Instance of a volume; that of a new instance is a word of its own. */
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

  /** The instance that keeps a volume from all others; null = it may go anywhere. */
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

/** The volumes on one scripted host, as its agent keeps and mounts them. */
import type { VolumeDirectory, VolumeSource } from '@dstack/contract/agent';
import { AgentRefusal } from '../../hosts/agent-client.ts';

/** A file system: the ids of the volumes that it holds. */
export class SimDisk {
  readonly volumes = new Set<string>();
  /** Their deletion has begun: they are no longer volumes, but take space. */
  readonly leftovers = new Set<string>();
}

export interface HostVolumesOptions {
  /** Whether a live job of the host mounts the volume. */
  readonly isMounted: (id: string) => boolean;
  /** Whether the provider has attached the device to the machine. */
  readonly hasDevice: (path: string) => boolean;
  /** Called before the data are deleted. */
  readonly onDelete: (directory: VolumeDirectory) => void;
}

export class HostVolumes {
  readonly own = new SimDisk();
  /** Paths of mounted devices by the ids of their volumes. */
  readonly devices = new Map<string, string>();
  readonly #options: HostVolumesOptions;
  /** The file systems that this host shares with others, by path. */
  readonly #shared = new Map<string, SimDisk>();
  #sharesAreMounted = true;

  constructor(options: HostVolumesOptions) {
    this.#options = options;
  }

  share(path: string, disk: SimDisk): void {
    this.#shared.set(path, disk);
  }

  get hasShares(): boolean {
    return this.#shared.size > 0;
  }

  /** Unmounts the shared file systems of the host, or mounts them again. */
  setSharesMounted(mounted: boolean): void {
    this.#sharesAreMounted = mounted;
  }

  put(id: string, { path }: { readonly path: string | null }): void {
    this.#require(path).volumes.add(id);
  }

  /** For a job. False: the volume is missing. */
  mount({ device, ...directory }: VolumeSource): boolean {
    if (device === null) return this.has(directory);
    if (!this.#options.hasDevice(device.path)) return false;
    this.devices.set(directory.id, device.path);
    return true;
  }

  unmount(id: string): void {
    this.#refuseInUse(id);
    this.devices.delete(id);
  }

  has({ id, path }: VolumeDirectory): boolean {
    return this.#disk(path)?.volumes.has(id) ?? false;
  }

  /** The volume can be missing without a fault of a server. */
  isElsewhere({ path }: VolumeSource): boolean {
    return this.#disk(path) === null;
  }

  require(directory: VolumeDirectory): void {
    if (this.has(directory)) return;
    throw new AgentRefusal(404, 'unknown_volume', `No volume ${directory.id} is here`);
  }

  /** `isSlow`: the deletion takes longer than the request. */
  remove(id: string, { path }: { readonly path: string | null }, isSlow: boolean): boolean {
    this.#refuseInUse(id);
    const disk = this.#require(path);
    if (disk.volumes.has(id)) this.#options.onDelete({ id, path });
    const isFirst = disk.volumes.delete(id);
    if (isFirst) disk.leftovers.add(id);
    if (isFirst && isSlow) return false;
    disk.leftovers.delete(id);
    return true;
  }

  #refuseInUse(id: string): void {
    if (!this.#options.isMounted(id)) return;
    throw new AgentRefusal(409, 'volume_in_use', `A job mounts the volume ${id}`);
  }

  #require(path: string | null): SimDisk {
    const disk = this.#disk(path);
    if (disk) return disk;
    throw new AgentRefusal(409, 'missing_path', `There is no directory ${path}`);
  }

  /** Null: it is not mounted. */
  #disk(path: string | null): SimDisk | null {
    if (path === null) return this.own;
    return this.#sharesAreMounted ? (this.#shared.get(path) ?? null) : null;
  }
}

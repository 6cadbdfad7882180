import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type {
  PutVolume,
  UnmountVolume,
  VolumePlace,
  VolumeRemoval,
  VolumeState,
} from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import { withTimeout } from '@dstack/contract/with-timeout';
import type { EventLogger } from '../host/log.ts';
import { removeTrees } from '../host/remove-trees.ts';
import { AgentError } from '../jobs/agent-error.ts';
import type { DeviceMounts } from './device-mounts.ts';
import { DATA, dataOf, LABEL, rootOf, statsOf } from './volume-layout.ts';
import { VolumeUsage } from './volume-usage.ts';

export interface VolumeDirectoriesOptions {
  readonly stateDir: string;
  /** Why jobs cannot mount directories here; null = they can. */
  readonly whyNoMounts: () => string | null;
  /** Whether a live job mounts the volume. */
  readonly isMounted: (id: string) => boolean;
  readonly devices: Pick<DeviceMounts, 'unmount'>;
  readonly log: EventLogger;
}

const REMOVED = '.deleted-';
const NEW = '.new-';

/** A deletion that takes longer is reported as unfinished, and the server repeats its command. */
const REMOVAL_WAIT_MS = 2000;

/**
 * Makes, measures and deletes the directories of volumes. Only the agent's user may enter them;
 * jobs see the data where it is mounted, and every user of a job may write there.
 */
export class VolumeDirectories {
  readonly #options: VolumeDirectoriesOptions;
  readonly #usage: VolumeUsage;
  readonly #removals = new Map<string, Promise<void>>();

  constructor(options: VolumeDirectoriesOptions) {
    this.#options = options;
    this.#usage = new VolumeUsage({
      now: Date.now,
      onError: (dir, error) => options.log.error('a volume is not measured', error, { dir }),
    });
  }

  /** Repeatable. Throws `AgentError`: `no_mounts`, `missing_path`, `volume_failed`. */
  async put(id: string, { path, name, project }: PutVolume): Promise<void> {
    const why = this.#options.whyNoMounts();
    if (why !== null) throw new AgentError(409, 'no_mounts', why);
    if ((await this.#dataOf(id, path)) !== null) return;
    if (path !== null) await requireDirectory(path);
    const root = this.#root(path);
    const label = { id, name, project, created_at: new Date().toISOString() };
    // Hosts that share the path may do this at the same moment.
    const unfinished = join(root, `${NEW}${id}-${process.pid}`);
    try {
      await mkdir(root, { recursive: true, mode: 0o700 });
      await rm(unfinished, { recursive: true, force: true });
      await mkdir(join(unfinished, DATA), { recursive: true, mode: 0o700 });
      await chmod(join(unfinished, DATA), 0o777);
      await writeFile(join(unfinished, LABEL), `${JSON.stringify(label)}\n`);
      await rename(unfinished, join(root, id));
    } catch (error) {
      await rm(unfinished, { recursive: true, force: true });
      if ((await this.#dataOf(id, path)) === null) throw failed('created', error);
    }
  }

  /** Throws `AgentError` `unknown_volume`. */
  async state(id: string, { path }: VolumePlace): Promise<VolumeState> {
    const data = await this.#dataOf(id, path);
    if (data === null) throw new AgentError(404, 'unknown_volume', `No volume ${id} is here`);
    return { used_bytes: this.#usage.of(data) };
  }

  /** Repeatable. Throws `AgentError`: `volume_in_use`, `missing_path`, `volume_failed`. */
  async remove(id: string, { path }: VolumePlace): Promise<VolumeRemoval> {
    this.#refuseInUse(id);
    const root = this.#root(path);
    // A missing volume counts as deleted, but not where no volume could be seen.
    if (path !== null) await requireDirectory(root);
    const dir = join(root, id);
    const removed = join(root, `${REMOVED}${id}`);
    this.#usage.forget(join(dir, DATA));
    try {
      // Under its new name it is no longer a volume, whatever happens to the agent.
      if ((await statsOf(dir)) !== null) await this.#takeAway(dir, removed);
      if ((await statsOf(removed)) === null) return { deleted: true };
      const removal = this.#removal(removed).then(() => true);
      const late = { ms: REMOVAL_WAIT_MS, onTimeout: () => false };
      return { deleted: await withTimeout(() => removal, late) };
    } catch (error) {
      throw failed('deleted', error);
    }
  }

  /** Before its provider detaches a volume. Repeatable. Throws `AgentError`: `volume_in_use`, `volume_failed`. */
  async unmount(id: string, { device }: UnmountVolume): Promise<void> {
    this.#refuseInUse(id);
    await this.#options.devices.unmount(id, device);
  }

  close(): void {
    this.#usage.close();
  }

  #refuseInUse(id: string): void {
    if (!this.#options.isMounted(id)) return;
    throw new AgentError(409, 'volume_in_use', `A job mounts the volume ${id}`);
  }

  async #takeAway(dir: string, removed: string): Promise<void> {
    if ((await statsOf(removed)) !== null) await this.#removal(removed);
    await rename(dir, removed);
  }

  /** Continues in the background while the request returns. */
  #removal(path: string): Promise<void> {
    const known = this.#removals.get(path);
    if (known) return known;
    const removal = removeTrees([path]).finally(() => this.#removals.delete(path));
    this.#removals.set(path, removal);
    removal.catch((error) => this.#options.log.error('a volume is not deleted', error, { path }));
    return removal;
  }

  #root(path: string | null): string {
    return rootOf(this.#options.stateDir, path);
  }

  #dataOf(id: string, path: string | null): Promise<string | null> {
    return dataOf(this.#options.stateDir, { id, path });
  }
}

async function requireDirectory(path: string): Promise<void> {
  if ((await statsOf(path))?.isDirectory()) return;
  const message = `There is no directory ${path}: is the shared file system mounted?`;
  throw new AgentError(409, 'missing_path', message);
}

function failed(what: string, error: unknown): AgentError {
  if (error instanceof AgentError) return error;
  const message = `The volume could not be ${what}: ${errorMessage(error)}`;
  return new AgentError(409, 'volume_failed', message);
}

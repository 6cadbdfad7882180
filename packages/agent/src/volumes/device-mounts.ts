import { constants } from 'node:fs';
import { chmod, mkdir, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { VolumeDevice, VolumeSource } from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import { JobFailure } from '../executor/job-failure.ts';
import { runToolFully } from '../host/run-tool.ts';
import { AgentError } from '../jobs/agent-error.ts';
import { deviceOfMount } from './mount-table.ts';

/**
 * Outside of the agent's state, which is deleted with everything in it. Mounts do not outlive the
 * machine's uptime, and neither does this folder.
 */
const ROOT = '/run/dstack-volumes';

/** A provider reports a device as attached up to some seconds before the kernel has it. */
const DEVICE_WAIT_MS = 30_000;
const FIRST_LOOK_MS = 50;
const LONGEST_LOOK_MS = 2_000;
const FORMAT_LIMIT_MS = 15 * 60_000;

export interface DeviceMountsOptions {
  readonly root?: string;
  readonly deviceWaitMs?: number;
}

/** The file systems of volumes that a provider has attached, each mounted at one place for all jobs. */
export class DeviceMounts {
  readonly #options: DeviceMountsOptions;
  readonly #root: string;
  /** The last operation on each volume; the next one waits for it. */
  readonly #tails = new Map<string, Promise<unknown>>();

  constructor(options: DeviceMountsOptions = {}) {
    this.#options = options;
    this.#root = options.root ?? ROOT;
  }

  /** Mounts the device, if it is not mounted, and returns the path. Throws `JobFailure` `volume_error`. */
  async mount({ id }: Pick<VolumeSource, 'id'>, device: VolumeDevice): Promise<string> {
    return await this.#inTurn(id, async () => {
      try {
        return await this.#mount(join(this.#root, id), device);
      } catch (error) {
        const message = `The volume at ${device.path} cannot be mounted: ${errorMessage(error)}`;
        throw new JobFailure('volume_error', message);
      }
    });
  }

  /**
   * Repeatable. Returns when all data is on the device. Throws `AgentError`: `volume_failed`,
   * `volume_in_use`.
   */
  async unmount(id: string, device: string): Promise<void> {
    await this.#inTurn(id, async () => {
      const path = join(this.#root, id);
      try {
        if ((await deviceOfMount(path)) !== null) await tool('umount', ['--', path]);
      } catch (error) {
        const message = `The volume could not be unmounted: ${errorMessage(error)}`;
        throw new AgentError(409, 'volume_failed', message);
      }
      await requireUnused(device);
    });
  }

  async #mount(path: string, { path: device, format }: VolumeDevice): Promise<string> {
    if (process.getuid?.() !== 0) throw new Error('the agent does not run as root');
    const wanted = await this.#numberOf(device);
    const mounted = await deviceOfMount(path);
    if (mounted === wanted) return path;
    // Its device was detached by force, and came back under another name.
    if (mounted !== null) await tool('umount', ['--', path]);
    await this.#ensureFileSystem(device, format);
    await this.#makeRoot();
    await mkdir(path, { recursive: true, mode: 0o700 });
    await tool('mount', ['-o', 'nodev', '--', device, path]);
    // Every user of a job may write there, as in directories of volumes. An agent that was killed after
    // the formatting has not done that, so what counts is that the volume is empty.
    if (format && (await isEmpty(path))) await chmod(path, 0o777);
    return path;
  }

  /** Formats a blank device only: what is on a device is never overwritten. */
  async #ensureFileSystem(device: string, format: boolean): Promise<void> {
    const found = await runToolFully('blkid', ['-p', '-o', 'export', '--', device]);
    if (found.kind === 'missing') throw new Error('`blkid` is not installed on the host');
    // Exit code 2 without any output: no signature of anything is on the device.
    const isBlank = found.kind === 'ended' && found.code === 2 && found.stdout.trim() === '';
    if (!isBlank) return;
    if (!format) throw new Error('it has no file system; create one on it first');
    await tool('mkfs.ext4', ['-q', '-F', '-m', '0', '--', device], FORMAT_LIMIT_MS);
  }

  /** Shares its mounts with the namespaces of jobs, so that an unmount here is one there. */
  async #makeRoot(): Promise<void> {
    await mkdir(this.#root, { recursive: true, mode: 0o711 });
    if ((await deviceOfMount(this.#root)) !== null) return;
    await tool('mount', ['--bind', '--', this.#root, this.#root]);
    await tool('mount', ['--make-shared', '--', this.#root]);
  }

  /** `major:minor`. */
  async #numberOf(device: string): Promise<string> {
    const until = Date.now() + (this.#options.deviceWaitMs ?? DEVICE_WAIT_MS);
    for (let pause = FIRST_LOOK_MS; ; pause = Math.min(pause * 2, LONGEST_LOOK_MS)) {
      const found = await stat(device).catch(() => null);
      if (found?.isBlockDevice()) return numberOf(found.rdev);
      if (found) throw new Error('it is not a block device');
      if (Date.now() >= until) throw new Error('there is no such device on the host');
      await delay(pause);
    }
  }

  async #inTurn<T>(id: string, work: () => Promise<T>): Promise<T> {
    const earlier = this.#tails.get(id) ?? Promise.resolve();
    const turn = earlier.catch(() => {}).then(work);
    this.#tails.set(id, turn);
    try {
      return await turn;
    } finally {
      if (this.#tails.get(id) === turn) this.#tails.delete(id);
    }
  }
}

/**
 * A process may keep the file system mounted in a mount namespace of its own, and then not all data is
 * on the device. The kernel refuses an exclusive opening until the last of these mounts has ended.
 */
async function requireUnused(device: string): Promise<void> {
  try {
    const handle = await open(device, constants.O_RDONLY | constants.O_EXCL);
    await handle.close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    const message = `The device ${device} is still in use on the host: ${errorMessage(error)}`;
    throw new AgentError(409, 'volume_in_use', message);
  }
}

/** Without files; a new file system has a folder for those that a repair finds. */
async function isEmpty(path: string): Promise<boolean> {
  return (await readdir(path)).every((name) => name === 'lost+found');
}

/** By the numbers of the kernel's `dev_t` in user space. */
function numberOf(rdev: number): string {
  const bits = BigInt(rdev);
  const major = ((bits >> 8n) & 0xfffn) | ((bits >> 32n) & ~0xfffn);
  const minor = (bits & 0xffn) | ((bits >> 12n) & ~0xffn);
  return `${major}:${minor}`;
}

async function tool(name: string, args: readonly string[], limitMs?: number): Promise<void> {
  const end = await runToolFully(name, args, limitMs);
  if (end.kind === 'missing') throw new Error(`\`${name}\` is not installed on the host`);
  if (end.kind === 'timeout') throw new Error(`\`${name}\` took too long`);
  if (end.code !== 0) throw new Error(end.stderr.trim() || `\`${name}\` failed`);
}

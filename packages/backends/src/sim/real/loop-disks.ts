/**
 * Volumes of real agents: sparse files, which are block devices of the server host while they are attached.
 * Needs root, and a kernel with loop devices.
 */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { SimDisks } from '../disks.ts';

const run = promisify(execFile);
const GIB = 2 ** 30;
const LIMIT_MS = 30_000;
/** Processes that were killed have closed a device by then; others may keep it for ever. */
const CLOSING_MS = 5000;
const PAUSE_MS = 10;

export function loopDisks(dir: string): SimDisks {
  const fileOf = (volume: string) => join(dir, `${volume}.img`);
  return {
    async attach(volume, { gib }) {
      const file = fileOf(volume);
      if (!existsSync(file)) makeFile(dir, file, gib * GIB);
      return (await deviceOf(file)) ?? (await losetup('--find', '--show', file));
    },
    async detach(volume, { force }) {
      const file = fileOf(volume);
      const device = existsSync(file) ? await deviceOf(file) : null;
      if (device === null) return true;
      if (force) await unmountAll(device);
      // The kernel keeps a device that is in use until its last user closes it.
      await losetup('--detach', device).catch(() => {});
      if (!force) return (await deviceOf(file)) === null;
      // Otherwise the next machine would be given a device that is about to disappear.
      const end = performance.now() + CLOSING_MS;
      while ((await deviceOf(file)) !== null && performance.now() < end) await delay(PAUSE_MS);
      return true;
    },
    async delete(volume) {
      rmSync(fileOf(volume), { force: true });
    },
  };
}

/** Whether this process may make block devices. */
export function hasLoopDisks(): boolean {
  if (process.getuid?.() !== 0) return false;
  try {
    execFileSync('losetup', ['--find'], { stdio: 'ignore', timeout: LIMIT_MS });
    return true;
  } catch {
    return false;
  }
}

function makeFile(dir: string, file: string, bytes: number): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  writeFileSync(file, '', { flag: 'wx', mode: 0o600 });
  truncateSync(file, bytes);
}

async function deviceOf(file: string): Promise<string | null> {
  const list = await losetup('--associated', file, '--output', 'NAME', '--noheadings');
  return list.split('\n')[0]?.trim() || null;
}

async function losetup(...args: readonly string[]): Promise<string> {
  const { stdout } = await run('losetup', args, { timeout: LIMIT_MS });
  return stdout.trim();
}

/** Unmounts the disk in the mounts that this process sees: a machine with namespaces of its own ends with them. */
async function unmountAll(device: string): Promise<void> {
  await run('umount', ['--all-targets', '--lazy', '--', device], { timeout: LIMIT_MS }).catch(
    () => {},
  );
}

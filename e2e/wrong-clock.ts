/** Servers whose clocks are wrong, on a computer whose clock is right; see `wrongClock`. */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { onTestFinished } from 'vitest';

/** Interposes the calls for the wall clock; the monotonic clock stays. Undefined: it is not installed. */
export const faketime = ['x86_64', 'aarch64']
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`)
  .find((path) => existsSync(path));
if (!faketime) console.warn('Wrong clocks are NOT tested: faketime is not installed');

/** Loaded into the server: what it starts on its computer as an agent has the computer's own time. */
const RIGHT_AGENTS = `
import processes from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';
const { spawn } = processes;
processes.spawn = (file, args, options, ...more) => {
  if (!Array.isArray(args) || !args.some((arg) => /agent/.test(arg))) return spawn(file, args, options, ...more);
  const { LD_PRELOAD, NODE_OPTIONS, ...env } = options?.env ?? process.env;
  return spawn(file, args, { ...options, env }, ...more);
};
syncBuiltinESMExports();
`;

/** Where the semaphores and the shared memory of programs are. */
const SHARED_MEMORY = '/dev/shm';
/** Sizes of a semaphore and of a page, as glibc has them on computers of 64 bits. */
const SEMAPHORE_BYTES = 32;
const PAGE_BYTES = 4096;
/** So many processes may be killed while they hold the semaphore, which guards nothing that a clock with an offset uses. */
const SEMAPHORE_COUNT = 1000;

/**
 * The objects by which processes share a clock that counts calls. Without a name for them each program creates its own,
 * and those of a program that is killed stay until the computer is started again.
 */
function sharedObjects(): string {
  const name = `dstack-clock-${randomUUID()}`;
  const semaphore = Buffer.alloc(SEMAPHORE_BYTES);
  semaphore.writeUInt32LE(SEMAPHORE_COUNT);
  const paths = [join(SHARED_MEMORY, `sem.${name}`), join(SHARED_MEMORY, name)] as const;
  onTestFinished(() => {
    for (const path of paths) rmSync(path, { force: true });
  });
  writeFileSync(paths[0], semaphore, { mode: 0o600 });
  writeFileSync(paths[1], Buffer.alloc(PAGE_BYTES), { mode: 0o600 });
  return `/${name} /${name}`;
}

/**
 * A clock that is set by writing `+2h` or `-1h` to a file. With `rightAgents` the computer on which the server runs has
 * the right time, as if its jobs were on another one; otherwise its agent has the wrong one too, and its health check fails.
 */
export function wrongClock(offset: string, { rightAgents = false } = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'dstack-clock-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'offset');
  const set = (to: string) => writeFileSync(file, `${to}\n`);
  set(offset);
  const loaded = join(dir, 'right-agents.mjs');
  if (rightAgents) writeFileSync(loaded, RIGHT_AGENTS);
  const env = {
    LD_PRELOAD: faketime,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    FAKETIME_NO_CACHE: '1',
    FAKETIME_SHARED: sharedObjects(),
    ...(rightAgents && { NODE_OPTIONS: `--import=${pathToFileURL(loaded)}` }),
  };
  return { env, set };
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** An agent holds the lock only while it reads and writes a few small files. */
const TIMEOUT_S = 30;

/**
 * Runs `work` while no other agent of this host holds the lock. The kernel releases the lock when
 * this process ends, however it ends.
 */
export async function withHostLock<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  const options = ['--exclusive', '--timeout', String(TIMEOUT_S)];
  const command = [path, '/bin/sh', '-c', 'echo locked; exec cat > /dev/null'];
  const child = spawn('flock', [...options, ...command], {
    cwd: '/',
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
  });
  child.stdin.on('error', () => {});
  const ended = once(child, 'close').catch(() => {});
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () =>
      reject(new Error(`the lock ${path} was not free within ${TIMEOUT_S} s`)),
    );
    child.stdout.once('data', () => resolve());
  });
  try {
    return await work();
  } finally {
    child.stdin.end();
    await ended;
  }
}

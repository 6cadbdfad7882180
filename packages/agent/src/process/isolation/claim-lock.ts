import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Whoever has the lock reads a few small files; nobody has it for longer. */
const PATIENCE_S = 30;

/**
 * Does something while no other agent of this machine does it. The lock is the kernel's: it ends with
 * this process, however that ends.
 */
export async function withMachineLock<T>(path: string, work: () => T): Promise<T> {
  const options = ['--exclusive', '--timeout', String(PATIENCE_S)];
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
    child.once('exit', () => reject(new Error(`the lock ${path} could not be had`)));
    child.stdout.once('data', () => resolve());
  });
  try {
    return work();
  } finally {
    child.stdin.end();
    await ended;
  }
}

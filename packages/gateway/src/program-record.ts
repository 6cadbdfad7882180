/** The file by which a gateway's program finds the one before it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const pathIn = (runtime: string) => join(runtime, 'program.json');

/** From now on this process is the program of the gateway. */
export function recordProgram(runtime: string): void {
  writeFileSync(pathIn(runtime), JSON.stringify({ pid: process.pid, program: process.argv[1] }));
}

/** Whether another process has recorded itself since. */
export function isReplaced(runtime: string): boolean {
  return (recordedPid(runtime) ?? process.pid) !== process.pid;
}

/** The process that runs the gateway until now; null = none. */
export function earlierProgram(runtime: string): number | null {
  const pid = recordedPid(runtime);
  if (pid === null || pid === process.pid) return null;
  try {
    const isGateway = readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--runtime');
    return isGateway ? pid : null;
  } catch {
    return null;
  }
}

/** Null: none is recorded, or another process is writing the file. */
function recordedPid(runtime: string): number | null {
  try {
    return (JSON.parse(readFileSync(pathIn(runtime), 'utf8')) as { pid: number }).pid;
  } catch {
    return null;
  }
}

export function dismiss(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch {
    // It has ended meanwhile.
  }
}

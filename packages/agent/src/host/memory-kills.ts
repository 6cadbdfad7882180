/** The kernel's reaction to a full memory of a job's control group. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JobCgroup } from './cgroup.ts';

/** The kernel kills the process with the highest sum of its memory and this, in thousandths. */
const PREFERENCE = 100;
const MAX_SCORE = 1000;

/** Has the kernel kill the job before its supervisor and agent, which share its memory in a pod. */
export function preferAsVictim(pid: number): void {
  const path = `/proc/${pid}/oom_score_adj`;
  try {
    const score = Number(readFileSync(path, 'utf8'));
    writeFileSync(path, String(Math.min(MAX_SCORE, score + PREFERENCE)));
  } catch {
    // It has ended, or has another user already.
  }
}

/**
 * How many processes of the job the kernel has killed because its memory was full; null = unknown.
 * Without control groups of its own, those of the container that this process runs in.
 */
export function memoryKills(cgroup: JobCgroup | null): number | null {
  const isOwn = Boolean(cgroup?.unified || cgroup?.legacy.memory);
  const unified = isOwn ? cgroup?.unified : ROOT;
  const memory = isOwn ? cgroup?.legacy.memory : `${ROOT}/memory`;
  const files = [
    ...(unified ? [join(unified, 'memory.events')] : []),
    ...(memory ? [join(memory, 'memory.oom_control')] : []),
  ];
  for (const file of files) {
    const kills = killsIn(file);
    if (kills !== null) return kills;
  }
  return null;
}

const ROOT = '/sys/fs/cgroup';

function killsIn(file: string): number | null {
  try {
    const count = /^oom_kill (\d+)$/m.exec(readFileSync(file, 'utf8'))?.[1];
    return count === undefined ? null : Number(count);
  } catch {
    // The host has another version of control groups.
    return null;
  }
}

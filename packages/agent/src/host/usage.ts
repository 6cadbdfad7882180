import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JobCgroup } from './cgroup.ts';

/** The resources of a job: microseconds of CPU since its start, bytes of memory now. */
export interface Usage {
  readonly cpu_usage_micro: number;
  readonly memory_usage_bytes: number;
  readonly memory_working_set_bytes: number;
}

const PAGE = 4096;
const TICK_MICROS = 10_000;

/** From the job's control groups; null if they do not count both. */
export function cgroupUsage(cgroup: JobCgroup): Usage | null {
  const cpu = cpuMicros(cgroup);
  const memory = memoryOf(cgroup);
  return cpu === null || memory === null ? null : { cpu_usage_micro: cpu, ...memory };
}

/**
 * The sum over the job's processes. CPU time of ended processes is missing, so the caller must not
 * let the figure decrease.
 */
export function processUsage(pids: readonly number[]): Usage {
  let ticks = 0;
  let pages = 0;
  for (const pid of pids) {
    const stat = read(`/proc/${pid}/stat`);
    const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
    // utime, stime, and cutime and cstime of children that were waited for.
    for (const field of fields?.slice(11, 15) ?? []) ticks += Number(field);
    pages += Number(read(`/proc/${pid}/statm`)?.split(' ')[1] ?? 0);
  }
  const bytes = pages * PAGE;
  return {
    cpu_usage_micro: ticks * TICK_MICROS,
    memory_usage_bytes: bytes,
    memory_working_set_bytes: bytes,
  };
}

function cpuMicros({ unified, legacy }: JobCgroup): number | null {
  if (legacy.cpuacct) {
    const nanos = read(join(legacy.cpuacct, 'cpuacct.usage'));
    return nanos === null ? null : Math.round(Number(nanos) / 1000);
  }
  const stat = unified && read(join(unified, 'cpu.stat'));
  return stat ? (statField(stat, 'usage_usec') ?? null) : null;
}

function memoryOf({ unified, legacy }: JobCgroup): Omit<Usage, 'cpu_usage_micro'> | null {
  const usage = legacy.memory
    ? read(join(legacy.memory, 'memory.usage_in_bytes'))
    : unified && read(join(unified, 'memory.current'));
  if (!usage) return null;
  const stat = read(join(legacy.memory ?? unified ?? '', 'memory.stat')) ?? '';
  const inactive = statField(stat, 'total_inactive_file') ?? statField(stat, 'inactive_file') ?? 0;
  const bytes = Number(usage);
  return { memory_usage_bytes: bytes, memory_working_set_bytes: Math.max(0, bytes - inactive) };
}

function statField(text: string, name: string): number | undefined {
  const match = new RegExp(`^${name} (\\d+)$`, 'm').exec(text);
  return match ? Number(match[1]) : undefined;
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

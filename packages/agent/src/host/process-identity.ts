import { readFileSync } from 'node:fs';

/** Identifies a process, so that a later one with the same pid is not mistaken for it. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, field 22 of `/proc/<pid>/stat`. */
  readonly startTime: string;
  /** Start times count from the boot, so they may repeat after the next one. */
  readonly bootId: string;
}

export interface ProcessStat {
  readonly pid: number;
  /** One letter, of the first thread; `Z` and `X`: it is dead, and no parent has waited for the process. */
  readonly state: string;
  /** Those that have not ended, and at least one. */
  readonly threads: number;
  readonly parent: number;
  readonly session: number;
  readonly startTime: string;
}

/** Null when there is no such process. */
export function processStat(pid: number): ProcessStat | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
  // The name in parentheses may hold spaces and parentheses itself.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return {
    pid,
    state: fields[0] ?? '',
    parent: Number(fields[1]),
    session: Number(fields[3]),
    threads: Number(fields[17]),
    startTime: fields[19] ?? '',
  };
}

/** The environment that a process was started with; empty if it has ended or is not readable. */
export function startTextOf(pid: number, what: 'environ' | 'cmdline'): string {
  try {
    return readFileSync(`/proc/${pid}/${what}`, 'utf8');
  } catch {
    return '';
  }
}

export function identifyProcess(pid: number): ProcessIdentity | null {
  const stat = processStat(pid);
  return stat ? { pid, startTime: stat.startTime, bootId: bootId() } : null;
}

/** Whether exactly this process still runs; a zombie does not. */
export function isAlive(identity: ProcessIdentity): boolean {
  const stat = processStat(identity.pid);
  return (
    stat !== null &&
    stat.startTime === identity.startTime &&
    identity.bootId === bootId() &&
    !isDead(stat)
  );
}

/** While other threads run, the process has its files and sockets, whatever the state of the first one. */
export function isDead({ state, threads }: Pick<ProcessStat, 'state' | 'threads'>): boolean {
  return state === 'X' || (state === 'Z' && threads <= 1);
}

/** Changes with each boot of the host. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

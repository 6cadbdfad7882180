import { readdirSync, readFileSync } from 'node:fs';

/** Proportional memory, in MB, of all processes of the computer with such a command line. */
export function memoryOf(isCounted: (commandLine: string) => boolean): number {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && isCounted(text(`/proc/${pid}/cmdline`)))
    .reduce((sum, pid) => sum + proportionalMb(Number(pid)), 0);
}

/** 0: the process has ended. */
export function proportionalMb(pid: number): number {
  const [, kib = 0] = /^Pss:\s+(\d+)/m.exec(text(`/proc/${pid}/smaps_rollup`)) ?? [];
  return Math.round(Number(kib) / 1024);
}

/** A process and all that it has started, directly or not. */
export function familyOf(pid: number): number[] {
  const children = text(`/proc/${pid}/task/${pid}/children`).trim().split(' ').filter(Boolean);
  return [pid, ...children.flatMap((child) => familyOf(Number(child)))];
}

/** Empty if the process has ended. */
function text(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

import { readdirSync, readFileSync } from 'node:fs';

/** Proportional memory, in MB, of all processes of the computer with such a command line. */
export function memoryOf(isCounted: (commandLine: string) => boolean): number {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && isCounted(text(`/proc/${pid}/cmdline`)))
    .map((pid) => Number(/^Pss:\s+(\d+)/m.exec(text(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0))
    .reduce((sum, kib) => sum + Math.round(kib / 1024), 0);
}

/** Empty if the process has ended. */
function text(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

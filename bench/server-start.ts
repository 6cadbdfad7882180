/** Time from the command to the first answered request, and memory of the idle server. */
import { readFileSync } from 'node:fs';
import { installation } from './installation.ts';
import { print, summary } from './measure.ts';

const TIMES = 10;

export async function serverStart(): Promise<void> {
  const home = installation();
  const starts: number[] = [];
  try {
    const first = performance.now();
    await home.startServer();
    print({
      name: 'server: first start',
      unit: 'ms',
      value: Math.round(performance.now() - first),
    });
    await new Promise((resolve) => setTimeout(resolve, 3000));
    print({ name: 'server: idle memory', unit: 'MB', value: residentMb(home.serverPid) });
    for (let i = 0; i < TIMES; i++) {
      await home.stopServer();
      const start = performance.now();
      await home.startServer();
      starts.push(performance.now() - start);
    }
    print({ name: 'server: start', unit: 'ms', ...summary(starts) });
  } finally {
    await home.dispose();
  }
}

export function residentMb(pid: number): number {
  const kb = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kb) / 1024);
}

/** Jobs that count, so that no line of theirs can be lost or come twice unseen. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';

/** Counts to `n`, a line each tenth of a second or as told, and ends with a code of its own. */
export const counting = (n: number, pause = 0.1) => [
  `i=0; while [ $i -lt ${n} ]; do i=$((i + 1)); echo "line $i"; sleep ${pause}; done`,
  'exit 3',
];

export const countedTo = (n: number) => Array.from({ length: n }, (_, i) => `line ${i + 1}`);

export async function linesOf(home: Installation, run: string): Promise<string[]> {
  const logs = await home.ok('logs', run);
  return logs.split(/\r?\n/).filter((line) => line.startsWith('line '));
}

export async function seenInLogs(home: Installation, run: string, line: string): Promise<void> {
  while (!(await linesOf(home, run)).includes(line)) await delay(50);
}

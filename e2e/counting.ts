/** Jobs that count, so that a lost or repeated line is detected. */
import type { Installation } from '@dstack/testkit';
import { untilPrinted } from './printed.ts';

/**
 * Counts to `n`, one line each `pause` seconds, and exits with the code `exit`, which differs from
 * that of a signal.
 */
export const counting = (n: number, pause = 0.1, exit = 3) => [
  `i=0; while [ $i -lt ${n} ]; do i=$((i + 1)); echo "line $i"; sleep ${pause}; done`,
  `exit ${exit}`,
];

export const countedTo = (n: number) => Array.from({ length: n }, (_, i) => `line ${i + 1}`);

/** The terminal shows Ctrl-C as `^C`, also in front of a line that a shell was about to print. */
export const linesIn = (logs: string): string[] =>
  [...logs.matchAll(/^(?:\^C)?(line .*?)\r?$/gm)].map(([, line]) => line ?? '');

export async function linesOf(home: Installation, run: string): Promise<string[]> {
  return linesIn(await home.ok('logs', run));
}

export async function seenInLogs(home: Installation, run: string, line: string): Promise<void> {
  await untilPrinted(home, run, (text) => linesIn(text).includes(line));
}

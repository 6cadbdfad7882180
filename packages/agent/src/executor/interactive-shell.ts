import { basename } from 'node:path';

const FORGETFUL = new Set(['sh', 'ash', 'dash']);

/**
 * On Ctrl-C an interactive `sh` (of busybox, dash) drops its script and prompts for the next
 * command, which never comes. With a trap it ends, as bash does. A trap of the script replaces this
 * one.
 */
export function endingAtInterrupt(argv: readonly string[]): string[] {
  const [shell = '', interactive, command, script, ...rest] = argv;
  const isScript = interactive === '-i' && command === '-c' && script !== undefined;
  if (!isScript || !FORGETFUL.has(basename(shell))) return [...argv];
  return [shell, '-i', '-c', `trap 'exit 130' INT; ${script}`, ...rest];
}

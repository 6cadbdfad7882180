import { basename } from 'node:path';

const FORGETFUL = new Set(['sh', 'ash', 'dash']);

/**
 * At Ctrl-C an interactive `sh` (of busybox, dash) forgets its script and asks for the next command,
 * of which none will come. With a trap it ends, as bash does; one of the script's own replaces it.
 */
export function endingAtInterrupt(argv: readonly string[]): string[] {
  const [shell = '', interactive, command, script, ...rest] = argv;
  const isScript = interactive === '-i' && command === '-c' && script !== undefined;
  if (!isScript || !FORGETFUL.has(basename(shell))) return [...argv];
  return [shell, '-i', '-c', `trap 'exit 130' INT; ${script}`, ...rest];
}

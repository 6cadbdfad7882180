import { basename } from 'node:path';

/**
 * At Ctrl-C an interactive `sh` (of busybox, dash) forgets its script and asks for the next command,
 * of which none will come. With a trap it ends, as bash does; one of the script's own replaces it.
 */
export function endingAtInterrupt(argv: readonly string[]): string[] {
  const [shell = '', interactive, command, script, ...rest] = argv;
  if (basename(shell) !== 'sh' || interactive !== '-i' || command !== '-c' || !script) {
    return [...argv];
  }
  return [shell, interactive, command, `trap 'exit 130' INT; ${script}`, ...rest];
}

import { existsSync } from 'node:fs';
import type { JobSpecForAgent } from '@dstack/contract/agent';
import { endingAtInterrupt } from '../executor/interactive-shell.ts';
import type { JobCgroup } from '../host/cgroup.ts';
import { joinFiles } from '../host/cgroup.ts';

/**
 * The command of a job that runs without its image: the user's shell lines joined by `&&` in an
 * interactive shell, or the complete argv if there are no such lines. A line that ends in `&`
 * cannot be joined, so it gets braces.
 */
export function jobCommand(
  spec: Pick<JobSpecForAgent, 'commands' | 'shell_commands'>,
  interactive: boolean,
): string[] {
  if (spec.shell_commands === null) return endingAtInterrupt(spec.commands);
  const shell = existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh';
  const script = spec.shell_commands
    // A block of YAML (`- |`) ends with a line break, before which `&&` is a syntax error.
    .map((line) => line.trim())
    .map((line) => (line.endsWith('&') ? `{ ${line} }` : line))
    .join(' && ');
  return endingAtInterrupt([shell, ...(interactive ? ['-i'] : []), '-c', script]);
}

/**
 * Adds a prefix that puts the process into the job's control groups before the command starts.
 * `runAs` does this for a command of another user.
 */
export function wrapCommand(argv: readonly string[], cgroup: JobCgroup): string[] {
  const files = joinFiles(cgroup);
  if (files.length === 0) return [...argv];
  // The files are passed as arguments, so that no path is parsed as shell text.
  const script =
    'while [ "$1" != -- ]; do echo $$ 2>/dev/null > "$1"; shift; done; shift; exec "$@"';
  return ['/bin/sh', '-c', script, 'sh', ...files, '--', ...argv];
}

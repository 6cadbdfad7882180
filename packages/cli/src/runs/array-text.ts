/** The members of an array in a few words. */
import type { Run } from '@dstack/contract/wire';
import { UsageError } from '../errors.ts';

/** `17 running, 900 done, 3 failed of 1000`; null = the run is no array. */
export function rollupText({ array }: Run): string | null {
  if (array === undefined) return null;
  const { members, total } = array;
  const parts = [
    ...(['running', 'provisioning', 'terminating', 'done', 'failed'] as const).map(
      (status) => [members[status], status] as const,
    ),
    [members.terminated, 'stopped'] as const,
    [members.submitted + members.pending, 'waiting'] as const,
  ].filter(([count]) => count > 0);
  const text = parts.map(([count, word]) => `${count} ${word}`).join(', ');
  return `${text || 'none born yet'} of ${total}`;
}

/** For commands that are about one job. */
export function refuseArray(run: Run, command: string): void {
  if (run.array === undefined) return;
  const name = run.run_spec.run_name ?? '';
  throw new UsageError(`Run ${name} is an array of ${run.array.total} members`, {
    why: 'the command is about one of them',
    next: `${command}, or dstack ps --members ${name}`,
  });
}

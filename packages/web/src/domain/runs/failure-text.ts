import type { RunRow } from '../../data/runs/run-row.ts';

/** Why a run failed, in one line: the error, else how its job ended. */
export function runFailureText({ error, statusMessage }: Pick<RunRow, 'error' | 'statusMessage'>) {
  return error?.trim().split('\n', 1)[0] || statusMessage;
}

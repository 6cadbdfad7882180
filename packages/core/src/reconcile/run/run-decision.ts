/** The changes that a run's pass writes. */
import type { Decision } from '../../model/index.ts';
import { isRunFinished } from '../../status/index.ts';
import type { RunPass } from './run-pass.ts';

export function runDecision(pass: RunPass, rounds: number): Decision {
  const { run, draft } = pass;
  pass.setRun({ nextPassAt: draft.due });
  const moved = run.status !== pass.snapshot.run.status;
  if (moved) pass.setRun({ lastProcessedAt: pass.now });
  const changes = draft.changes();
  return {
    changes,
    signals: draft.signals(),
    alarms: draft.alarms,
    summary: {
      run: run.id,
      from: pass.snapshot.run.status,
      to: run.status,
      finished: isRunFinished(run.status),
      jobs: pass.latest.map((job) => `${job.name}#${job.submissionNum}:${job.status}`),
      changes: changes.length,
      rounds,
      nextPassAt: draft.due,
    },
  };
}

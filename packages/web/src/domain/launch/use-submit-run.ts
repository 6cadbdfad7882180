import type { RunSpec } from '@dstack/contract/wire';
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { planQuery } from '../../data/launch/launch-queries.ts';
import { runKeys } from '../../data/runs/run-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { toast } from '../../ui/toast/toaster.tsx';
import { type EditConflict, editConflict } from './edit-conflict.ts';
import { planEffect } from './plan-state.ts';
import type { LaunchPlan } from './use-launch-plan.ts';

export interface RunSubmission {
  readonly label: string;
  readonly disabledReason: string | null;
  readonly isBusy: boolean;
  readonly error: Error | null;
  /** Set if the error is a change by another user. */
  readonly conflict: EditConflict | null;
  readonly submit: () => Promise<void>;
}

interface Failure {
  readonly spec: RunSpec;
  readonly error: Error;
  readonly conflict: EditConflict | null;
}

/** Submits what the plan shows. A run that was changed since then is not overwritten. */
export function useSubmitRun(project: string | null, launch: LaunchPlan): RunSubmission {
  const client = useClient();
  const cache = useQueryClient();
  const navigate = useNavigate();
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const { plan, spec } = launch;
  const effect = plan === null ? null : planEffect(plan);
  const disabledReason = reasonOf(launch, effect?.kind === 'blocked' ? effect.reason : null);
  // An error is about the text that was submitted.
  const shown = failure?.spec === spec ? failure : null;
  const submit = async () => {
    if (project === null || plan === null || spec === null) return;
    if (disabledReason !== null || isBusy) return;
    setBusy(true);
    setFailure(null);
    try {
      const run = await client.project(project).runs.apply({
        run_spec: spec,
        current_resource: plan.current_resource,
      });
      const name = run.run_spec.run_name ?? '';
      void cache.invalidateQueries({ queryKey: runKeys.all });
      await navigate({ to: '/projects/$project/runs/$run', params: { project, run: name } });
      toast.done(
        effect?.kind === 'update' ? `Run ${name} was changed` : `Run ${name} was submitted`,
      );
    } catch (error) {
      const failed = error instanceof Error ? error : new Error(String(error));
      // The plan of the same text against what the server has now; the text itself stays.
      const now = await cache
        .fetchQuery({ ...planQuery(client, project, spec), staleTime: 0 })
        .catch(() => null);
      setFailure({ spec, error: failed, conflict: now && editConflict(plan, now) });
    } finally {
      setBusy(false);
    }
  };
  return {
    label: effect?.kind === 'update' ? 'Update the run' : 'Submit',
    disabledReason,
    isBusy,
    error: shown?.error ?? null,
    conflict: shown?.conflict ?? null,
    submit,
  };
}

function reasonOf({ problems, isCurrent, error }: LaunchPlan, blocked: string | null) {
  if (problems.length > 0) return 'Correct the configuration first';
  if (error !== null) return 'There is no plan yet';
  if (!isCurrent) return 'The plan is being made';
  return blocked;
}

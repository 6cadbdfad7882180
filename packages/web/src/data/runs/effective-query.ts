import type { Client } from '@dstack/client';
import type { Run, RunPlan } from '@dstack/contract/wire';
import { queryOptions } from '@tanstack/react-query';

/** The server's plan for the run's specification as if it were submitted now. */
export function effectiveQuery(client: Client, run: Run) {
  return queryOptions<RunPlan>({
    queryKey: ['launch', 'effective', run.id, run.deployment_num],
    queryFn: () =>
      client.project(run.project_name).runs.getPlan({ run_spec: run.run_spec, max_offers: 1 }),
    staleTime: 60_000,
    retry: false,
  });
}

import type { Client } from '@dstack/client';
import type { PlanExplanation, RunPlan, RunSpec, UITemplate } from '@dstack/contract/wire';
import { queryOptions } from '@tanstack/react-query';

/** Offers of a plan that are shown. */
const OFFERS = 50;

/** Between two questions for the plan of a run for which there is no place now. */
const FULL_MS = 5000;

/** The JSON schema of configurations, which changes only with the server's version. */
export function configurationSchemaQuery(client: Client) {
  return queryOptions<unknown>({
    queryKey: ['launch', 'schema'],
    queryFn: async () => {
      const answer = await fetch(`${client.url}/schemas/configuration.json`);
      if (!answer.ok) throw new Error(`The schema could not be loaded (status ${answer.status})`);
      return await answer.json();
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export function templatesQuery(client: Client, project: string) {
  return queryOptions<readonly UITemplate[]>({
    queryKey: ['launch', 'templates', project],
    queryFn: () => client.project(project).templates.list(),
    staleTime: 60_000,
    retry: false,
  });
}

/** The plan of a run with its offers. An error is an answer too: it names the fault of the configuration. */
export function planQuery(client: Client, project: string, spec: RunSpec) {
  return queryOptions<RunPlan>({
    queryKey: ['launch', 'plan', project, spec],
    queryFn: () => client.project(project).runs.getPlan({ run_spec: spec, max_offers: OFFERS }),
    staleTime: 10_000,
    // No change of a record reports that something which matches has become free.
    refetchInterval: ({ state }) =>
      state.data?.outlook === 'ends' || state.data?.outlook === 'waits' ? FULL_MS : false,
    retry: false,
  });
}

/** Explains for each fleet whether the run can start there. */
export function planFleetsQuery(client: Client, project: string, spec: RunSpec) {
  return queryOptions<PlanExplanation>({
    queryKey: ['launch', 'fleets', project, spec],
    queryFn: () => client.project(project).explainPlan(spec),
    staleTime: 10_000,
    retry: false,
  });
}

import { useQueryClient } from '@tanstack/react-query';
import { runKeys } from '../../data/runs/run-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';

export interface RunName {
  readonly project: string;
  readonly name: string;
}

/** Stops or aborts runs, one request for each project. */
export function useStopRuns(): (runs: readonly RunName[], abort: boolean) => Promise<void> {
  const client = useClient();
  const cache = useQueryClient();
  return async (runs, abort) => {
    const projects = Map.groupBy(runs, ({ project }) => project);
    await Promise.all(
      [...projects].map(([project, members]) =>
        client.project(project).runs.stop(
          members.map(({ name }) => name),
          abort,
        ),
      ),
    );
    await cache.invalidateQueries({ queryKey: runKeys.all });
  };
}

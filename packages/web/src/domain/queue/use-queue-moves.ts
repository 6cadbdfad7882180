import type { Client } from '@dstack/client';
import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { useMemo } from 'react';
import { runKeys } from '../../data/runs/run-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { errorText } from '../../ui/feedback/error-text.ts';
import { toast } from '../../ui/toast/toaster.tsx';
import { plural } from '../format/quantities.ts';

export interface MovedRun {
  readonly project: string;
  readonly name: string;
}

/** Changes that a person may make to the place of runs in the queue. Each answers true if the server has done it. */
export interface QueueMoves {
  readonly hold: (runs: readonly MovedRun[]) => Promise<boolean>;
  readonly release: (runs: readonly MovedRun[]) => Promise<boolean>;
  readonly setPriority: (run: MovedRun, priority: number) => Promise<boolean>;
}

/** The same object as long as the session lasts. */
export function useQueueMoves(): QueueMoves {
  const client = useClient();
  const cache = useQueryClient();
  return useMemo(() => queueMoves(client, cache), [client, cache]);
}

function queueMoves(client: Client, cache: QueryClient): QueueMoves {
  const attempt = async (call: () => Promise<unknown>, done: string, failed: string) => {
    try {
      await call();
    } catch (error) {
      toast.failed(failed, errorText(error).what);
      return false;
    } finally {
      await cache.invalidateQueries({ queryKey: runKeys.all });
    }
    toast.done(done);
    return true;
  };
  // Replicas of one service are one run.
  const byProject = async (
    runs: readonly MovedRun[],
    request: (project: string, names: readonly string[]) => Promise<unknown>,
  ) => {
    for (const [project, members] of Map.groupBy(runs, (run) => run.project)) {
      await request(project, [...new Set(members.map(({ name }) => name))]);
    }
  };
  return {
    hold: (runs) =>
      attempt(
        () => byProject(runs, (project, names) => client.project(project).runs.hold(names)),
        `${subject(runs)} ${runs.length === 1 ? 'is' : 'are'} held`,
        `${subject(runs)} could not be held`,
      ),
    release: (runs) =>
      attempt(
        () => byProject(runs, (project, names) => client.project(project).runs.release(names)),
        `${subject(runs)} may start`,
        `${subject(runs)} could not be released`,
      ),
    setPriority: ({ project, name }, priority) =>
      attempt(
        () => client.project(project).runs.setPriority(name, priority),
        `${name} has priority ${priority}`,
        `The priority of ${name} could not be changed`,
      ),
  };
}

const subject = (runs: readonly MovedRun[]): string =>
  runs.length === 1 ? (runs[0]?.name ?? '') : plural(runs.length, 'run');

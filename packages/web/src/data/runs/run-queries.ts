import type { Client } from '@dstack/client';
import type { Run } from '@dstack/contract/wire';
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { type RunRow, runRow } from './run-row.ts';

/** The part of a list's filters that the server applies. */
export interface RunScope {
  readonly project: string | null;
  readonly user: string | null;
  readonly active: boolean;
}

interface Cursor {
  readonly prev_submitted_at: string;
  readonly prev_run_id: string;
}

/** The largest page of the server. */
const PAGE = 100;

export const runKeys = {
  all: ['run'] as const,
  lists: ['run', 'list'] as const,
  list: (scope: RunScope) => [...runKeys.lists, scope] as const,
  one: (project: string, ref: string) => ['run', 'one', project, ref] as const,
};

/** Runs, newest first, page after page. */
export function runList(client: Client, scope: RunScope) {
  return infiniteQueryOptions({
    queryKey: runKeys.list(scope),
    queryFn: ({ pageParam }) => runPage(client, scope, pageParam),
    initialPageParam: null as Cursor | null,
    getNextPageParam: (page) => nextCursor(page),
    // All pages would be asked for again one after another; `refreshRunLists` does it better.
    meta: { refreshed: 'by itself', refreshHead: () => runPage(client, scope, null) },
    staleTime: 2000,
  });
}

export async function runPage(
  client: Client,
  scope: RunScope,
  after: Cursor | null,
): Promise<readonly RunRow[]> {
  const runs = await client.listRuns({
    project_name: scope.project,
    username: scope.user,
    only_active: scope.active,
    job_submissions_limit: 1,
    limit: PAGE,
    ...after,
  });
  return runs.map(runRow);
}

/** The latest runs of all projects, to choose from. */
export function recentRuns(client: Client) {
  return queryOptions<readonly RunRow[]>({
    queryKey: ['palette', 'run'],
    queryFn: () => runPage(client, { project: null, user: null, active: false }, null),
  });
}

/** All pages, for exports; `onCount`: how many runs were read so far. */
export async function allRuns(
  client: Client,
  scope: RunScope,
  onCount: (count: number) => void,
  signal: AbortSignal,
): Promise<readonly RunRow[]> {
  const all: RunRow[] = [];
  let cursor: Cursor | null = null;
  do {
    const page: readonly RunRow[] = await runPage(client, scope, cursor);
    signal.throwIfAborted();
    all.push(...page);
    onCount(all.length);
    cursor = nextCursor(page);
  } while (cursor !== null);
  return all;
}

function nextCursor(page: readonly RunRow[]): Cursor | null {
  const last = page.at(-1);
  if (last === undefined || page.length < PAGE) return null;
  return { prev_submitted_at: last.submittedAt, prev_run_id: last.id };
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A run by name or id, with all its submissions. */
export function runQuery(client: Client, project: string, ref: string) {
  return queryOptions<Run>({
    queryKey: runKeys.one(project, ref),
    queryFn: () =>
      client.project(project).runs.get(UUID.test(ref) ? { id: ref } : { run_name: ref }),
  });
}

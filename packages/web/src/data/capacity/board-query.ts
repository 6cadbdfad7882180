import type { Client } from '@dstack/client';
import type { BoardJob } from '@dstack/contract/wire';
import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { batched, type OneOfMany } from '../batches.ts';
import { GLANCE_MS, glanceInTurn } from '../glances.ts';

/** The jobs on an instance. */
export interface InstanceJobs {
  readonly jobs: readonly BoardJob[];
  /** There are more than the server lists. */
  readonly isIncomplete: boolean;
}

const NONE: InstanceJobs = { jobs: [], isIncomplete: false };

/** The server answers no more at once. */
const MOST = 100;

/**
 * The jobs on an instance, with their beginnings and known ends. The rows that are shown at the same time share
 * their requests.
 */
export function instanceJobs(client: Client, project: string, instance: string) {
  return queryOptions<InstanceJobs>({
    // The first part is outdated by every change of a job.
    queryKey: ['board', project, instance],
    queryFn: async ({ signal }) => (await loaderOf(client, project)(instance, signal)) ?? NONE,
    placeholderData: keepPreviousData,
    gcTime: GLANCE_MS,
    retry: false,
  });
}

const loaders = new WeakMap<Client, Map<string, OneOfMany<InstanceJobs>>>();

function loaderOf(client: Client, project: string): OneOfMany<InstanceJobs> {
  const ofClient = loaders.get(client) ?? new Map<string, OneOfMany<InstanceJobs>>();
  loaders.set(client, ofClient);
  const known = ofClient.get(project);
  if (known !== undefined) return known;
  const loader = batched(async (ids) => {
    // Each of the rows has a signal of its own.
    const { signal } = new AbortController();
    const board = await glanceInTurn(() => client.project(project).capacity.board(ids), signal);
    const incomplete = new Set(board.incomplete);
    const jobs = Map.groupBy(board.jobs, ({ instance_id }) => instance_id);
    return new Map(
      ids.map((id) => [id, { jobs: jobs.get(id) ?? [], isIncomplete: incomplete.has(id) }]),
    );
  }, MOST);
  ofClient.set(project, loader);
  return loader;
}

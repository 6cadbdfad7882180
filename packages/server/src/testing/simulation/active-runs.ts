import { isRunFinished } from '@dstack/contract/status';
import { arrayOf, type RunRecord } from '@dstack/core';
import type { Store } from '@dstack/store';

/** All runs that have not ended: arrays, their members, and those that are in no array. */
export async function activeRuns({ runs }: Pick<Store, 'runs'>): Promise<RunRecord[]> {
  const filter = { onlyActive: true, projectIds: null };
  const listed = (await runs.list(filter)).map(({ run }) => run);
  const members: RunRecord[] = [];
  for (const { id, spec } of listed) {
    if (arrayOf(spec) === null) continue;
    members.push(...(await runs.list({ ...filter, arrayId: id })).map(({ run }) => run));
  }
  return [...listed, ...members].filter(({ status }) => !isRunFinished(status));
}

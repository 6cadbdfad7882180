import { isRunFinished } from '@dstack/contract/status';
import type { RunRecord } from '@dstack/core';
import type { ProjectRecord, Store } from '@dstack/store';

/** An unfinished service behind a gateway; null: there is none of this name. */
export async function serviceBehindGateway(
  { runs }: Pick<Store, 'runs'>,
  project: Pick<ProjectRecord, 'id'>,
  name: string,
): Promise<RunRecord | null> {
  const run = (await runs.byName(project.id, name))?.run ?? null;
  if (!run?.serviceSpec || run.gatewayId === null || isRunFinished(run.status)) return null;
  return run;
}

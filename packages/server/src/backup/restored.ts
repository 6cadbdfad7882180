/** A restore of the database as an event of every project, written by the first server that starts after it. */
import type { DatabaseRestored } from '@dstack/contract/wire';
import { projectTarget, recordEvent } from '@dstack/core';
import type { Store } from '@dstack/store';

/** The fact of the database that the restore leaves. */
export const RESTORED = 'restored';

export async function recordRestore(
  store: Pick<Store, 'meta' | 'projects'>,
): Promise<DatabaseRestored | null> {
  const text = await store.meta.get(RESTORED);
  if (text === null) return null;
  const data = JSON.parse(text) as DatabaseRestored;
  const events = (await store.projects.list({})).map((project) =>
    recordEvent({ action: 'project.restored', data, targets: [projectTarget(project)] }),
  );
  return (await store.meta.take(RESTORED, { events })) ? data : null;
}

/** Who may see how the actor of an event made the request: the token and the address. */
import type { EventView, UserRecord } from '@dstack/store';
import { isConfined } from '../../callers/scope.ts';
import type { HttpDeps } from '../ports.ts';

/**
 * Global admins see it in every event; project admins in events whose targets are all in projects that
 * they administer. Events about users have a target outside of projects. Tokens of programs see it in none.
 */
export async function originViewer(
  deps: Pick<HttpDeps, 'store'>,
  caller: UserRecord,
  events: readonly EventView[],
): Promise<(event: EventView) => boolean> {
  if (isConfined(caller)) return () => false;
  if (caller.globalRole === 'admin') return () => true;
  const targets = events.flatMap((event) => event.targets);
  const ids = [...new Set(targets.flatMap(({ projectId }) => projectId ?? []))];
  if (ids.length === 0) return () => false;
  const memberships = await deps.store.projects.memberships(caller.id, ids);
  const managed = new Set(
    memberships.filter(({ role }) => role === 'admin').map(({ projectId }) => projectId),
  );
  return (event) =>
    event.targets.every(({ projectId }) => projectId !== null && managed.has(projectId));
}

/** Quotas of projects and their users. */
import { accessDenied, notExists, type QuotaToApply, ruleError } from '@dstack/contract/api';
import type { Quota } from '@dstack/contract/wire';
import { fieldChanges, type NewEvent, projectTarget, recordEvent, userTarget } from '@dstack/core';
import type { QuotaPlace, QuotaTerms, UserRecord } from '@dstack/store';
import { notMember } from '../../callers/rights.ts';
import { actorOf } from '../event-actor.ts';
import type { HttpDeps } from '../ports.ts';
import { visibleProjects } from '../visible-projects.ts';
import { isManager, type NamedPlace, type SettablePlace, settablePlace } from './places.ts';
import { wireQuota } from './wire-quota.ts';

/** Those of the caller's projects, and those of other projects on fleets that he manages. */
export async function listQuotas(
  deps: HttpDeps,
  caller: UserRecord,
  projectName: string | null,
): Promise<Quota[]> {
  const visible = await visibleProjects(deps, caller, projectName);
  // An empty list would mean that nothing is limited there.
  if (projectName !== null && visible?.length === 0) {
    if (caller.globalRole === 'admin') throw notExists(`Project ${projectName} not found`);
    throw notMember({ name: projectName });
  }
  const memberships =
    visible === null ? [] : await deps.store.projects.memberships(caller.id, visible);
  const managed = memberships.filter(({ role }) => isManager(role));
  const views = await deps.store.quotas.list(
    visible,
    managed.map(({ projectId }) => projectId),
  );
  return views.map(wireQuota);
}

/** All of them are set, or none. */
export async function applyQuotas(
  deps: HttpDeps,
  caller: UserRecord,
  quotas: readonly QuotaToApply[],
): Promise<Quota[]> {
  const places: {
    readonly place: SettablePlace;
    readonly terms: QuotaTerms;
    readonly event: NewEvent;
  }[] = [];
  for (const wanted of quotas) {
    const place = await settablePlace(deps, caller, wanted);
    places.push({ place, ...(await checkedTerms(deps, caller, place, wanted)) });
  }
  const keys = places.map(({ place }) => keyOf(place));
  if (new Set(keys).size < keys.length) {
    throw ruleError('The request names a quota twice: name each project, fleet and user once');
  }
  const set = await deps.store.quotas.apply(
    places.map(({ place, terms, event }) => ({
      ...{ place: placeOf(place), terms },
      extras: { events: [event] },
    })),
  );
  const ids = new Set(set.map((quota) => quota?.id));
  const views = await deps.store.quotas.list([
    ...new Set(places.map(({ place }) => place.projectId)),
  ]);
  return views.filter(({ quota }) => ids.has(quota.id)).map(wireQuota);
}

const keyOf = ({ projectId, fleetId, userId }: SettablePlace): string =>
  JSON.stringify([projectId, fleetId, userId]);

const FIELDS = ['guaranteed', 'limit', 'weight'];

async function checkedTerms(
  deps: HttpDeps,
  caller: UserRecord,
  place: SettablePlace,
  wanted: QuotaToApply,
): Promise<{ readonly terms: QuotaTerms; readonly event: NewEvent }> {
  const known = await deps.store.quotas.byPlace(place);
  const terms = { guaranteed: wanted.guaranteed, limits: wanted.limit, weight: wanted.weight };
  const before = { ...known, limit: known?.limits ?? null };
  const changes = fieldChanges(FIELDS, before, wanted).filter(
    ({ before: old, after }) => JSON.stringify(old) !== JSON.stringify(after),
  );
  const isGranted = changes.some(({ field }) => field !== 'limit');
  if (isGranted && !place.isOfProjects) {
    throw accessDenied(
      'Access denied: you may only set the limit of this quota; its guarantee and weight are set by global admins',
    );
  }
  const event = recordEvent({
    ...{ action: 'quota.applied', data: { ...place.names, changes } },
    ...{ targets: await targetsOf(deps, place), actor: actorOf(caller) },
  });
  return { terms, event };
}

/** The project, and the user if the quota is of one. */
async function targetsOf(deps: HttpDeps, { project, userId }: SettablePlace) {
  const user = userId === null ? null : await deps.store.users.byId(userId);
  return [projectTarget(project), ...(user ? [userTarget(user)] : [])];
}

export async function deleteQuotas(
  deps: HttpDeps,
  caller: UserRecord,
  quotas: readonly NamedPlace[],
): Promise<void> {
  const places: SettablePlace[] = [];
  for (const named of quotas) {
    const place = await settablePlace(deps, caller, named, { mayBeGone: true });
    const known = await deps.store.quotas.byPlace(place);
    if (known === null) throw notExists(`Quota not found: ${placeText(named)}`);
    if (!place.isOfProjects && (known.guaranteed !== null || known.weight !== null)) {
      throw accessDenied(
        'Access denied: this quota has a guarantee or a weight, which global admins set; ask one of them, or set no limit',
      );
    }
    places.push(place);
  }
  const changes = places.map(async (place) => {
    const event = recordEvent({
      ...{ action: 'quota.deleted', data: place.names },
      ...{ targets: await targetsOf(deps, place), actor: actorOf(caller) },
    });
    return { place: placeOf(place), terms: null, extras: { events: [event] } };
  });
  await deps.store.quotas.apply(await Promise.all(changes));
}

const placeOf = ({ projectId, fleetId, userId }: SettablePlace): QuotaPlace => ({
  ...{ projectId, fleetId, userId },
});

function placeText({ project_name, fleet_name, user_name }: NamedPlace): string {
  const fleet = fleet_name === null ? '' : `, fleet ${fleet_name}`;
  return `project ${project_name}${fleet}${user_name === null ? '' : `, user ${user_name}`}`;
}

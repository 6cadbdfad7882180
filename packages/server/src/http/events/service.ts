/** The part of the audit log that the caller may read. */
import type { ListEventsRequest } from '@dstack/contract/api';
import type { Event } from '@dstack/contract/wire';
import type { EventTargetKind } from '@dstack/core';
import type { EventFilter, UserRecord } from '@dstack/store';
import { confinement } from '../../callers/scope.ts';
import { wireEvent } from '../mapping/event.ts';
import { pageOf } from '../paging.ts';
import type { HttpDeps } from '../ports.ts';
import { originViewer } from './origin.ts';

export async function listEvents(
  deps: HttpDeps,
  caller: UserRecord,
  request: ListEventsRequest,
): Promise<Event[]> {
  const filter = eventFilter(request);
  if (filter === null) return [];
  const events = await deps.store.events.list({
    ...filter,
    visibleTo: await visibility(deps, caller),
    page: pageOf(request.prev_recorded_at, request.prev_id, request),
  });
  const showsOrigin = await originViewer(deps, caller, events);
  return events.map((event) => wireEvent(event, showsOrigin(event)));
}

/** The requested events, for any caller; null: nothing can match. */
export function eventFilter(
  request: ListEventsRequest,
): Omit<EventFilter, 'visibleTo' | 'page'> | null {
  // None of our events has a preset as target.
  if (request.target_presets !== null) return null;
  return {
    targets: targetFilter(request),
    within: withinFilter(request),
    targetTypes: request.include_target_types?.filter(isOurs) ?? null,
    actors: request.actors,
  };
}

/** The events that the caller may read; null = all of them. */
export async function visibility(
  deps: HttpDeps,
  caller: UserRecord,
): Promise<EventFilter['visibleTo']> {
  const only = confinement(caller);
  if (only !== null) return { userId: '', projectIds: [only] };
  if (caller.globalRole === 'admin') return null;
  const projectIds = await deps.store.projects.idsOfMember(caller.id);
  return { userId: caller.id, projectIds };
}

function isOurs(type: string): type is EventTargetKind {
  return type !== 'preset';
}

/** The schema allows at most one of them. */
function targetFilter(request: ListEventsRequest): EventFilter['targets'] {
  const filters: readonly (readonly [EventTargetKind, readonly string[] | null])[] = [
    ['project', request.target_projects],
    ['user', request.target_users],
    ['fleet', request.target_fleets],
    ['instance', request.target_instances],
    ['run', request.target_runs],
    ['job', request.target_jobs],
    ['volume', request.target_volumes],
    ['gateway', request.target_gateways],
    ['gateway-replica', request.target_gateway_replicas],
    ['secret', request.target_secrets],
  ];
  for (const [type, ids] of filters) if (ids !== null) return { type, ids };
  return null;
}

function withinFilter(request: ListEventsRequest): EventFilter['within'] {
  if (request.within_projects !== null) return { kind: 'project', ids: request.within_projects };
  if (request.within_fleets !== null) return { kind: 'fleet', ids: request.within_fleets };
  if (request.within_runs !== null) return { kind: 'run', ids: request.within_runs };
  if (request.within_gateways !== null) return { kind: 'gateway', ids: request.within_gateways };
  return null;
}

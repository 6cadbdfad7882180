import type { EventSelection } from '../../data/events/event-queries.ts';
import {
  choiceParameter,
  type ReadParameter,
  type SearchOf,
  searchSchema,
  textParameter,
} from '../../ui/search-schema.ts';

/** Filters of events by ids, with their labels. The names are the API's, as links from elsewhere use them. */
export const EVENT_FILTERS = {
  within_runs: 'run',
  target_runs: 'run only',
  target_jobs: 'job',
  within_fleets: 'fleet',
  target_fleets: 'fleet only',
  target_instances: 'instance',
  target_volumes: 'volume',
  within_gateways: 'gateway',
  target_gateways: 'gateway only',
  within_projects: 'project',
  target_projects: 'project only',
  target_users: 'user',
  target_secrets: 'secret',
} as const;
export type EventFilterName = keyof typeof EVENT_FILTERS;

const NAMES = Object.keys(EVENT_FILTERS) as EventFilterName[];

/** Kinds of things that events are about. */
export const EVENT_TYPES = [
  'run',
  'job',
  'fleet',
  'instance',
  'volume',
  'gateway',
  'project',
  'user',
  'secret',
] as const;

export const EventsSearch = searchSchema({
  ...(Object.fromEntries(NAMES.map((name) => [name, textParameter()])) as Record<
    EventFilterName,
    ReadParameter<string>
  >),
  type: choiceParameter(EVENT_TYPES),
  /** A user's id. */
  actor: textParameter(),
});
export type EventsSearch = SearchOf<typeof EventsSearch>;

/** The filter that the address sets; the server takes one of them. */
export function eventFilterOf(search: EventsSearch): EventFilterName | null {
  return NAMES.find((name) => search[name] !== undefined) ?? null;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const isId = (id: string) => UUID.test(id);

/** The filters of the request. Texts that cannot be ids are left out, so that the page stays usable. */
export function eventSelection(search: EventsSearch, projectId: string | null): EventSelection {
  const name = eventFilterOf(search);
  const ids = name === null ? [] : (search[name] ?? '').split(',').filter(isId);
  const about = name !== null && ids.length > 0 ? { [name]: ids } : {};
  const within =
    projectId !== null && !name?.startsWith('within_') ? { within_projects: [projectId] } : {};
  return {
    ...within,
    ...about,
    ...(search.type === undefined ? {} : { include_target_types: [search.type] }),
    ...(search.actor !== undefined && isId(search.actor) ? { actors: [search.actor] } : {}),
  };
}

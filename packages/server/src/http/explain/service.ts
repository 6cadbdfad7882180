/** Loads the snapshot, requests the offers that `core` needs, and adds subject and events. */
import type { ExplainSubject, Explanation } from '@dstack/contract/wire';
import type {
  BackendAnswers,
  BackendNote,
  Diagnosis,
  EventTargetKind,
  ExplainContext,
  Id,
  Offer,
  OffersWanted,
} from '@dstack/core';
import type { EventFilter, EventView, ProjectRecord, UserRecord } from '@dstack/store';
import { visibility } from '../events/service.ts';
import { wireExplanation } from '../mapping/explain.ts';
import type { HttpDeps } from '../ports.ts';
import { visibleProjects } from '../visible-projects.ts';

/** The caller and the project of the request. */
export interface Asker {
  readonly project: ProjectRecord;
  readonly user: UserRecord;
}

/** The maximum number of events in an answer. */
const EVENTS = 100;

/** Time limit for each backend, as a user waits for the answer. */
const BACKEND_LIMIT_MS = 3000;

/** Testing fixes may need further offers; this many rounds are enough. */
const MAX_ROUNDS = 5;

export async function explainContext(
  deps: HttpDeps,
  { user }: Pick<Asker, 'user'>,
): Promise<ExplainContext> {
  const ids = await visibleProjects(deps, user);
  const { now, unobserved, settings } = deps.context();
  const viewer = { projects: ids === null ? null : new Set(ids) };
  return { now, ...(unobserved !== undefined && { unobserved }), settings, viewer };
}

/** Requests offers until none are missing; offers that never arrive count as none. */
export async function withOffers<E>(
  deps: HttpDeps,
  projectId: Id,
  explain: (answers: BackendAnswers) => {
    readonly explanation: E;
    readonly wanted: readonly OffersWanted[];
  },
): Promise<E> {
  const offers = new Map<string, readonly Offer[]>();
  const notes = new Map<BackendNote['backend'], BackendNote>();
  let explained = explain({ offers, notes: [] });
  for (let round = 0; round < MAX_ROUNDS && explained.wanted.length > 0; round++) {
    const answers = await deps.offers.answer(projectId, explained.wanted, BACKEND_LIMIT_MS);
    for (const { key } of explained.wanted) offers.set(key, answers.offers.get(key) ?? []);
    for (const note of answers.notes) {
      if (note.rule !== 'cordoned' || !notes.has(note.backend)) notes.set(note.backend, note);
    }
    explained = explain({ offers, notes: [...notes.values()] });
  }
  return explained.explanation;
}

export async function explanation(
  deps: HttpDeps,
  { project, user }: Asker,
  subject: Omit<ExplainSubject, 'project_name'>,
  diagnosis: Diagnosis,
  about: Pick<EventFilter, 'targets' | 'within'>,
): Promise<Explanation> {
  const visibleTo = await visibility(deps, user);
  const newest = await deps.store.events.list({ ...about, visibleTo, page: { limit: EVENTS } });
  const events = newest.toReversed().map((event) => withoutOthers(event, visibleTo));
  return wireExplanation({ ...subject, project_name: project.name }, diagnosis, events);
}

/** An event of a shared fleet may also have a job of another project as its target. */
function withoutOthers(event: EventView, visibleTo: EventFilter['visibleTo']): EventView {
  if (visibleTo === null) return event;
  const targets = event.targets.filter(
    ({ projectId }) => projectId === null || visibleTo.projectIds.includes(projectId),
  );
  return { ...event, targets };
}

export function subjectOf(
  kind: ExplainSubject['kind'],
  { id, name, status }: { readonly id: Id; readonly name: string; readonly status: string },
): Omit<ExplainSubject, 'project_name'> {
  return { kind, name, id, status };
}

export const onTarget = (type: EventTargetKind, ...ids: Id[]) => ({ targets: { type, ids } });

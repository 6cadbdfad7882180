/** Messages about changed records, with their new state. */
import type { ChangedJob, ChangeMessage } from '@dstack/contract/wire';
import type { Id, JobRecord, Timestamp } from '@dstack/core';
import type { ChangeKind, ProjectRecord, RecordChange, RunView, Store } from '@dstack/store';
import type { Audience } from '../../changes/audience.ts';
import type { Message } from '../../changes/message-ring.ts';
import { wireJson } from '../json.ts';
import { wireEvent } from '../mapping/event.ts';
import { wireFleet } from '../mapping/fleet.ts';
import { wireGateway } from '../mapping/gateway.ts';
import { wireInstance } from '../mapping/instance.ts';
import { wireRun } from '../mapping/run.ts';
import type { RunShape } from '../mapping/run-shape.ts';
import { wireVolume } from '../mapping/volume.ts';

export type ReadRecords = Pick<
  Store,
  'runs' | 'jobs' | 'instances' | 'fleets' | 'volumes' | 'gateways' | 'projects' | 'events'
>;

/** Characters of JSON; clients read larger records themselves, if they show them. */
const MOST_DATA = 64 * 1024;

/** Records that have been deleted from the database meanwhile have no message. */
export async function loadMessages(
  store: ReadRecords,
  changes: readonly RecordChange[],
  shape: RunShape,
): Promise<Message[]> {
  const { now } = shape;
  const wanted = new Wanted(changes);
  const jobs = await store.jobs.byIds(wanted.ids('job', 'pull', 'metrics'));
  const runIds = new Set([...wanted.ids('run'), ...jobs.map((job) => job.runId)]);
  const runs = new Map(
    (await store.runs.viewsByIds([...runIds])).map((view) => [view.run.id, view]),
  );
  return [
    ...runMessages(wanted, runs, jobs, shape),
    ...jobs.flatMap((job) => jobMessages(wanted, job, runs.get(job.runId))),
    ...(await capacityMessages(store, wanted, now)),
    ...(await resourceMessages(store, wanted, now)),
    ...(await accountMessages(store, wanted)),
    ...(await eventMessages(store, wanted)),
  ];
}

/** The announced changes, by kind and id. */
class Wanted {
  readonly #byKind = new Map<ChangeKind, Map<Id, RecordChange[]>>();

  constructor(changes: readonly RecordChange[]) {
    for (const change of changes) {
      const ofKind = this.#byKind.get(change.kind) ?? new Map<Id, RecordChange[]>();
      this.#byKind.set(change.kind, ofKind);
      ofKind.set(change.id, [...(ofKind.get(change.id) ?? []), change]);
    }
  }

  ids(...kinds: ChangeKind[]): Id[] {
    return [...new Set(kinds.flatMap((kind) => [...(this.#byKind.get(kind)?.keys() ?? [])]))];
  }

  of(kind: ChangeKind, id: Id): readonly RecordChange[] {
    return this.#byKind.get(kind)?.get(id) ?? [];
  }

  has(kind: ChangeKind, id: Id): boolean {
    return this.of(kind, id).length > 0;
  }
}

/** Clients see jobs as a part of their run. */
function runMessages(
  wanted: Wanted,
  runs: ReadonlyMap<Id, RunView>,
  jobs: readonly JobRecord[],
  shape: RunShape,
): Message[] {
  const ofJobs = jobs.filter(({ id }) => wanted.has('job', id)).map(({ runId }) => runId);
  const ids = [...new Set([...wanted.ids('run'), ...ofJobs])];
  return ids.flatMap((id) => {
    const view = runs.get(id);
    if (view === undefined) return [];
    const { run, projectName: project } = view;
    const data = wireRun(view, shape);
    // The figures of an array change without its record.
    const version = view.array === undefined ? run.version : null;
    return message({ type: 'run', id, project, version, data }, of(run.projectId));
  });
}

function jobMessages(wanted: Wanted, job: JobRecord, view: RunView | undefined): Message[] {
  if (view === undefined) return [];
  const { id, projectId } = job;
  const data = changedJob(job, view);
  const head = { id, project: view.projectName };
  const progress = view.pulls[id];
  const { version } = job;
  return [
    ...(wanted.has('job', id) ? [{ ...head, type: 'job', version, data } as const] : []),
    ...(wanted.has('pull', id) && progress !== undefined
      ? [{ ...head, type: 'pull', version: null, data: { ...data, progress } } as const]
      : []),
    ...(wanted.has('metrics', id)
      ? [{ ...head, type: 'metrics', version: null, data } as const]
      : []),
  ].map((one) => message(one, of(projectId)));
}

function changedJob(job: JobRecord, { run }: RunView): ChangedJob {
  return {
    run_id: run.id,
    run_name: run.name,
    replica_num: job.replicaNum,
    job_num: job.jobNum,
    submission_num: job.submissionNum,
    status: job.status,
  };
}

async function capacityMessages(
  store: ReadRecords,
  wanted: Wanted,
  now: Timestamp,
): Promise<Message[]> {
  const instances = await store.instances.viewsByIds(wanted.ids('instance'));
  const fleets = await store.fleets.viewsByIds(wanted.ids('fleet'));
  return [
    ...instances.map((view) => {
      const { id, version, projectId, fleetId } = view.instance;
      const data = wireInstance(view.instance, view);
      const head = { type: 'instance', id, project: view.projectName, version } as const;
      return message({ ...head, data }, of(projectId, fleetId));
    }),
    ...fleets.map((view) => {
      const { id, version, projectId } = view.fleet;
      const head = { type: 'fleet', id, project: view.projectName, version } as const;
      return message({ ...head, data: wireFleet(view, now) }, of(projectId, id));
    }),
  ];
}

async function resourceMessages(
  store: ReadRecords,
  wanted: Wanted,
  now: Timestamp,
): Promise<Message[]> {
  const volumes = await store.volumes.viewsByIds(wanted.ids('volume'));
  const gateways = await store.gateways.viewsByIds(wanted.ids('gateway'));
  const projects = await projectsOf(
    store,
    gateways.map(({ gateway }) => gateway.projectId),
  );
  return [
    ...volumes.map((view) => {
      const { id, version, projectId } = view.volume;
      const head = { type: 'volume', id, project: view.projectName, version } as const;
      return message({ ...head, data: wireVolume(view, now) }, of(projectId));
    }),
    ...gateways.flatMap((view) => {
      const { id, version, projectId } = view.gateway;
      const owner = projects.get(projectId);
      if (owner === undefined) return [];
      const head = { type: 'gateway', id, project: view.projectName, version } as const;
      return message({ ...head, data: wireGateway(view, owner) }, of(projectId, id));
    }),
  ];
}

async function accountMessages(store: ReadRecords, wanted: Wanted): Promise<Message[]> {
  const projects = await projectsOf(store, wanted.ids('project'));
  const parts = (kind: 'project' | 'user', id: Id) =>
    wanted.of(kind, id).map(({ part }) => ({ part: part ?? 'settings' }));
  return [
    ...[...projects].flatMap(([id, { name, originalName }]) =>
      parts('project', id).map((data) => {
        const project = originalName ?? name;
        return message({ type: 'project', id, project, version: null, data }, of(id));
      }),
    ),
    ...wanted.ids('user').flatMap((id) =>
      parts('user', id).map((data) => {
        const audience = { projectIds: [], userIds: [id], sharedId: null };
        return message({ type: 'user', id, project: null, version: null, data }, audience);
      }),
    ),
  ];
}

async function eventMessages(store: ReadRecords, wanted: Wanted): Promise<Message[]> {
  const events = await store.events.byIds(wanted.ids('event'));
  return events.map((event) => {
    const { id, targets } = event;
    const projectIds = [...new Set(targets.flatMap(({ projectId }) => projectId ?? []))];
    const users = targets.filter(({ type }) => type === 'user');
    const audience = { projectIds, userIds: users.map((target) => target.id), sharedId: null };
    const inProject = targets.find(({ projectId }) => projectId !== null);
    const project = projectIds.length === 1 ? (inProject?.projectName ?? null) : null;
    return message({ type: 'event', id, project, version: null, data: wireEvent(event) }, audience);
  });
}

async function projectsOf(
  { projects }: ReadRecords,
  ids: readonly Id[],
): Promise<Map<Id, ProjectRecord>> {
  return new Map((await projects.byIds(ids)).map((project) => [project.id, project]));
}

function of(projectId: Id, sharedId: Id | null = null): Audience {
  return { projectIds: [projectId], userIds: [], sharedId };
}

function message(change: ChangeMessage, audience: Audience): Message {
  const { type } = change;
  const data = wireJson(change);
  if (data.length <= MOST_DATA) return { type, audience, data };
  const { data: _, ...head } = change;
  return { type, audience, data: wireJson(head) };
}

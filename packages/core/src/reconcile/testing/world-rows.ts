/**
 * The rows of a run, its instances and its groups in memory. Decisions are applied as the store would
 * apply them: versions and uniqueness are checked.
 */

import { eventMessage } from '../../events/event-message.ts';
import type {
  Change,
  Decision,
  FleetRecord,
  GroupRecord,
  InstanceRecord,
  IntentRecord,
  JobRecord,
  NewEvent,
  RunRecord,
  Signal,
  Timestamp,
} from '../../model/index.ts';
import { T0 } from './records.ts';

export class WorldRows {
  now: Timestamp = T0;
  run: RunRecord;
  fleet: FleetRecord;
  jobs = new Map<string, JobRecord>();
  instances = new Map<string, InstanceRecord>();
  intents = new Map<string, IntentRecord>();
  groups = new Map<string, GroupRecord>();
  /** Messages in the order written, with the name of their target. */
  events: string[] = [];
  rawEvents: NewEvent[] = [];
  signals: Signal[] = [];
  alarms: string[] = [];
  removedInstances: string[] = [];
  deletedJobs: string[] = [];
  /** Jobs whose volumes may be detached, and jobs that have released them. */
  releasedVolumes: string[] = [];
  leftVolumes: string[] = [];
  /** Keys of cancelled effects: a worker under way may still carry them out. */
  cancelled = new Set<string>();

  constructor(run: RunRecord, fleet: FleetRecord) {
    this.run = run;
    this.fleet = fleet;
  }

  job(id: string): JobRecord {
    const job = this.jobs.get(id);
    if (job === undefined) throw new Error(`no job ${id}`);
    return job;
  }

  instance(id = 'inst-1'): InstanceRecord {
    const instance = this.instances.get(id);
    if (instance === undefined) throw new Error(`no instance ${id}`);
    return instance;
  }

  apply(decision: Decision): void {
    for (const change of decision.changes) this.#write(change);
    this.signals.push(...decision.signals);
    this.alarms.push(...(decision.alarms ?? []));
  }

  #write(change: Change): void {
    switch (change.type) {
      case 'run.update':
        this.run = raised(this.run, change);
        break;
      case 'fleet.update':
        this.fleet = raised(this.fleet, change);
        break;
      case 'job.insert':
        insert(this.jobs, change.job);
        break;
      case 'job.update':
        this.jobs.set(change.id, raised(this.job(change.id), change));
        break;
      case 'job.delete':
        this.jobs.delete(change.id);
        this.deletedJobs.push(change.id);
        break;
      case 'instance.insert':
        insert(this.instances, change.instance);
        break;
      case 'instance.update':
        this.instances.set(change.id, raised(this.instance(change.id), change));
        break;
      case 'instance.delete':
        this.instances.delete(change.id);
        this.removedInstances.push(change.id);
        break;
      case 'group.insert':
        insert(this.groups, change.group);
        break;
      case 'volume-use.release':
        this.releasedVolumes.push(change.jobId);
        break;
      case 'volume-use.delete':
        this.leftVolumes.push(change.jobId);
        break;
      case 'intent.insert':
        if (this.intents.has(change.intent.key)) throw new Error(`twice: ${change.intent.key}`);
        this.intents.set(change.intent.key, change.intent);
        break;
      case 'intent.cancel':
        this.#cancel(change.key);
        break;
      case 'event':
        this.rawEvents.push(change.event);
        this.events.push(eventMessage(change.event));
        break;
    }
  }

  #cancel(key: string): void {
    const intent = this.intents.get(key);
    if (intent?.state !== 'announced') return;
    this.cancelled.add(key);
    this.intents.set(key, { ...intent, state: 'failed', error: 'cancelled', updatedAt: this.now });
  }
}

interface Row {
  readonly id: string;
  readonly version: number;
}

function insert<R extends Row>(rows: Map<string, R>, row: R): void {
  if (rows.has(row.id)) throw new Error(`twice: ${row.id}`);
  rows.set(row.id, { ...row, version: 1 });
}

export function raised<R extends Row>(row: R, change: { version: number; set: object }): R {
  if (row.version !== change.version) throw new Error(`stale change of ${row.id}`);
  return { ...row, ...change.set, version: row.version + 1 };
}

/**
 * The copy of a snapshot that a pass works on. Rules read and write it as if each write had already
 * happened. At the end there is one change per record with its differences from the snapshot, and
 * the events in the order in which they were noted.
 */
import type {
  ArrayPatch,
  AttachmentRecord,
  Change,
  DecisionContext,
  EndOutcome,
  FleetRecord,
  FleetUse,
  GatewayRecord,
  GatewayReplicaRecord,
  GroupRecord,
  Id,
  InstanceRecord,
  IntentPayload,
  IntentRecord,
  JobRecord,
  NewEvent,
  PoolVersion,
  PricedInterval,
  RunRecord,
  ServerHostUse,
  Signal,
  Timestamp,
  Unobserved,
  VolumeRecord,
  VolumeUseRecord,
  WorkKind,
} from '../model/index.ts';
import { DraftTable, type Row } from './table.ts';

interface Loaded {
  readonly run?: RunRecord;
  readonly fleet?: FleetRecord;
  readonly jobs?: readonly JobRecord[];
  readonly instances?: readonly InstanceRecord[];
  readonly groups?: readonly GroupRecord[];
  readonly intents?: readonly IntentRecord[];
  readonly volumeRecords?: readonly VolumeRecord[];
  readonly attachments?: readonly AttachmentRecord[];
  readonly gateway?: GatewayRecord;
  readonly gatewayReplicas?: readonly GatewayReplicaRecord[];
  /** Fleets of the instances, with how many instances each has; see `fleetUse`. */
  readonly fleetUses?: readonly FleetUse[];
}

export class Draft {
  readonly now: Timestamp;
  readonly unobserved: readonly Unobserved[];
  readonly newId: () => Id;
  readonly runs: DraftTable<RunRecord>;
  readonly fleets: DraftTable<FleetRecord>;
  readonly jobs: DraftTable<JobRecord>;
  readonly instances: DraftTable<InstanceRecord>;
  readonly groups: DraftTable<GroupRecord>;
  readonly volumes: DraftTable<VolumeRecord>;
  readonly attachments: DraftTable<AttachmentRecord>;
  readonly gateways: DraftTable<GatewayRecord>;
  readonly gatewayReplicas: DraftTable<GatewayReplicaRecord>;
  /** By kind and subject, oldest attempt first. */
  #intents = new Map<string, IntentRecord[]>();
  #announced: IntentRecord[] = [];
  #cancelled = new Set<string>();
  #active = new Map<Id, number>();
  #checks = new Map<string, Change>();
  /** Changes of the volumes that jobs use. */
  #uses: Change[] = [];
  #outcomes: Change[] = [];
  #ledger: Change[] = [];
  /** Members of arrays that are born, and what else changes in their arrays. */
  #births: RunRecord[] = [];
  #arrays: Change[] = [];
  #events: NewEvent[] = [];
  #alarms: string[] = [];
  #signals = new Map<string, Signal>();
  #due: Timestamp | null = null;
  #touched = false;

  constructor(loaded: Loaded, ctx: Pick<DecisionContext, 'now'> & Partial<DecisionContext>) {
    const touched = () => {
      this.#touched = true;
    };
    this.now = ctx.now;
    this.unobserved = ctx.unobserved ?? [];
    this.newId = ctx.newId ?? noIds;
    this.runs = new DraftTable(loaded.run ? [loaded.run] : [], touched);
    const uses = loaded.fleetUses ?? [];
    const fleets = loaded.fleet ? [loaded.fleet] : uses.map((use) => use.fleet);
    this.fleets = new DraftTable(fleets, touched);
    for (const { fleet, active } of uses) this.#active.set(fleet.id, active);
    this.jobs = new DraftTable(loaded.jobs ?? [], touched);
    this.instances = new DraftTable(loaded.instances ?? [], touched);
    this.groups = new DraftTable(loaded.groups ?? [], touched);
    this.volumes = new DraftTable(loaded.volumeRecords ?? [], touched);
    this.attachments = new DraftTable(loaded.attachments ?? [], touched);
    this.gateways = new DraftTable(loaded.gateway ? [loaded.gateway] : [], touched);
    this.gatewayReplicas = new DraftTable(loaded.gatewayReplicas ?? [], touched);
    for (const intent of loaded.intents ?? []) this.#remember(intent);
    for (const attempts of this.#intents.values()) attempts.sort((a, b) => a.attempt - b.attempt);
  }

  /** A fleet and the number of its active instances; null if it was not loaded. */
  fleetUse(fleetId: Id): FleetUse | null {
    const fleet = this.fleets.get(fleetId);
    const active = this.#active.get(fleetId);
    return fleet === null || active === undefined ? null : { fleet, active };
  }

  /** Counts one active instance less. */
  leaveFleet(fleetId: Id): void {
    const active = this.#active.get(fleetId);
    if (active !== undefined) this.#active.set(fleetId, active - 1);
  }

  /** The pass relies on how many instances the fleet has. */
  guardFleet(fleetId: Id): void {
    this.fleets.guard(fleetId);
  }

  /** The pass relies on a fleet that it does not write. */
  checkFleet({ id, version }: Row): void {
    this.#checks.set(id, { type: 'fleet.check', id, version });
  }

  /** The pass relies on which projects may use which fleets. */
  checkPool({ id, version }: PoolVersion): void {
    this.#checks.set(id, { type: 'pool.check', id, version });
  }

  /** The pass relies on an instance that it does not write. */
  checkInstance({ id, version }: Row): void {
    this.#checks.set(id, { type: 'instance.check', id, version });
  }

  /** The pass uses a slot or GPUs of a server's machine, whose state was read as `state`. */
  checkLocal({ hostId, state }: Pick<ServerHostUse, 'hostId' | 'state'>): void {
    this.#checks.set(`local ${hostId}`, { type: 'local.check', hostId, state });
  }

  /**
   * A job mounts these volumes. Until it is finished, they can be neither deleted nor given to
   * others.
   */
  useVolumes(jobId: Id, volumes: readonly VolumeRecord[]): void {
    for (const [mountNum, { id }] of volumes.entries()) {
      const volume = this.volumes.get(id);
      if (volume) this.volumes.set(volume, { lastJobProcessedAt: this.now });
      this.volumes.guard(id);
      const use: VolumeUseRecord = { volumeId: id, jobId, mountNum, releasedAt: null };
      this.#uses.push({ type: 'volume-use.insert', use });
      this.signal('volume', id);
    }
  }

  /** The process of the job has ended: its volumes may be detached. */
  releaseVolumes(jobId: Id, volumeIds: readonly Id[]): void {
    this.#uses.push({ type: 'volume-use.release', jobId, at: this.now });
    for (const id of volumeIds) this.signal('volume', id);
    this.#touched = true;
  }

  /** The job is finished. */
  leaveVolumes(jobId: Id, volumeIds: readonly Id[]): void {
    this.#uses.push({ type: 'volume-use.delete', jobId });
    for (const id of volumeIds) this.signal('volume', id);
  }

  /** Starts a round of rules, which collects the deadlines anew. */
  beginRound(): void {
    this.#touched = false;
    this.#due = null;
  }

  /** Whether a rule has changed anything since `beginRound`. */
  get touched(): boolean {
    return this.#touched;
  }

  /** Requires another pass at that moment, even if nothing else happens. */
  dueAt(at: Timestamp): void {
    if (this.#due === null || at < this.#due) this.#due = at;
  }

  get due(): Timestamp | null {
    return this.#due;
  }

  /** A member of the array whose run this pass is for. */
  bear(run: RunRecord): void {
    this.#births.push(run);
  }

  array(id: Id, set: ArrayPatch): void {
    this.#arrays.push({ type: 'array.update', id, set });
  }

  /** The run has ended, or an execution of its schedule. */
  outcome(id: Id, outcome: EndOutcome): void {
    this.#outcomes.push({ type: 'run.outcome', id, outcome });
  }

  /** Enters what has been paid for; null = nothing has. */
  pay(interval: PricedInterval | null): void {
    if (interval !== null) this.#ledger.push({ type: 'ledger.append', interval });
  }

  /** The price of an instance that has begun changes now; `instance` has the one that held. */
  reprice(instance: InstanceRecord): void {
    this.#ledger.push({ type: 'ledger.reprice', instance, at: this.now });
  }

  event(event: NewEvent): void {
    this.#events.push(event);
  }

  /** The index of the next event, for `eventAt`. */
  get eventCount(): number {
    return this.#events.length;
  }

  eventAt(index: number, event: NewEvent): void {
    this.#events.splice(index, 0, event);
  }

  #remember(intent: IntentRecord): void {
    const key = `${intent.kind}:${intent.subjectId}`;
    const known = this.#intents.get(key);
    if (known === undefined) this.#intents.set(key, [intent]);
    else known.push(intent);
  }

  /** Oldest attempt first. */
  intents(kind: IntentPayload['kind'], subjectId: Id): readonly IntentRecord[] {
    return this.#intents.get(`${kind}:${subjectId}`) ?? [];
  }

  lastIntent(kind: IntentPayload['kind'], subjectId: Id): IntentRecord | null {
    return this.intents(kind, subjectId).at(-1) ?? null;
  }

  announce(subjectId: Id, payload: IntentPayload): void {
    const last = this.lastIntent(payload.kind, subjectId);
    const attempt = last === null ? 0 : last.attempt + 1;
    const intent: IntentRecord = {
      key: `${payload.kind}:${subjectId}:${attempt}`,
      kind: payload.kind,
      subjectId,
      attempt,
      payload,
      state: 'announced',
      result: null,
      error: null,
      createdAt: this.now,
      updatedAt: this.now,
    };
    this.#remember(intent);
    this.#announced.push(intent);
    this.#touched = true;
  }

  /**
   * Withdraws an announced effect. It still counts as announced in this pass: a worker may have
   * begun it, and only a later snapshot shows that.
   */
  cancel(intent: IntentRecord): void {
    if (intent.state !== 'announced' || this.#cancelled.has(intent.key)) return;
    this.#cancelled.add(intent.key);
    this.#touched = true;
  }

  /** A problem that an operator has to solve; logged as an error. */
  alarm(text: string): void {
    this.#alarms.push(text);
  }

  get alarms(): readonly string[] {
    return this.#alarms;
  }

  signal(kind: WorkKind, id: string): void {
    this.#signals.set(`${kind}:${id}`, { kind, id });
  }

  /** All changes, records before the rows that refer to them. */
  changes(): Change[] {
    const fresh = this.#announced.filter((one) => !this.#cancelled.has(one.key));
    const freshKeys = new Set(this.#announced.map((one) => one.key));
    return [
      ...this.#checks.values(),
      ...this.runs.updated().map((u): Change => ({ type: 'run.update', ...u })),
      ...this.#births.map((run): Change => ({ type: 'run.insert', run })),
      ...this.#arrays,
      ...this.fleets.updated().map((u): Change => ({ type: 'fleet.update', ...u })),
      ...this.groups.inserted().map((group): Change => ({ type: 'group.insert', group })),
      ...this.groups.updated().map((u): Change => ({ type: 'group.update', ...u })),
      ...this.instances
        .inserted()
        .map((instance): Change => ({ type: 'instance.insert', instance })),
      ...this.instances.updated().map((u): Change => ({ type: 'instance.update', ...u })),
      ...this.jobs.deleted().map((j): Change => ({ type: 'job.delete', ...key(j) })),
      ...this.jobs.inserted().map((job): Change => ({ type: 'job.insert', job })),
      ...this.jobs.updated().map((u): Change => ({ type: 'job.update', ...u })),
      ...this.instances.deleted().map((i): Change => ({ type: 'instance.delete', ...key(i) })),
      ...this.volumes.updated().map((u): Change => ({ type: 'volume.update', ...u })),
      ...this.attachments.deleted().map((a): Change => ({ type: 'attachment.delete', ...key(a) })),
      ...this.attachments
        .inserted()
        .map((attachment): Change => ({ type: 'attachment.insert', attachment })),
      ...this.attachments.updated().map((u): Change => ({ type: 'attachment.update', ...u })),
      ...this.gateways.updated().map((u): Change => ({ type: 'gateway.update', ...u })),
      ...this.gatewayReplicas
        .inserted()
        .map((replica): Change => ({ type: 'gateway-replica.insert', replica })),
      ...this.gatewayReplicas
        .updated()
        .map((u): Change => ({ type: 'gateway-replica.update', ...u })),
      ...this.#uses,
      ...fresh.map((intent): Change => ({ type: 'intent.insert', intent })),
      ...[...this.#cancelled]
        .filter((one) => !freshKeys.has(one))
        .map((one): Change => ({ type: 'intent.cancel', key: one })),
      ...this.#outcomes,
      ...this.#ledger,
      ...this.#events.map((event): Change => ({ type: 'event', event })),
    ];
  }

  /** The signals to send after the write, including those to the workers of announced effects. */
  signals(): Signal[] {
    const workers = this.#announced
      .filter((one) => !this.#cancelled.has(one.key))
      .map((one): Signal => ({ kind: 'intent', id: one.key }));
    return [...workers, ...this.#signals.values()];
  }
}

/** For passes that create nothing. */
function noIds(): never {
  throw new Error('this pass received no ids to create anything');
}

function key(row: Row): { id: Id; version: number } {
  return { id: row.id, version: row.version };
}

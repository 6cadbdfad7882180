/**
 * The copy of a snapshot that a pass works on. Rules read and write it as if each write had already
 * happened. At the end there is one change per record with its differences from the snapshot, and
 * the events in the order in which they were noted.
 */
import type {
  Change,
  DecisionContext,
  FleetRecord,
  FleetUse,
  GroupRecord,
  Id,
  InstanceRecord,
  IntentPayload,
  IntentRecord,
  JobRecord,
  NewEvent,
  RunRecord,
  Signal,
  Timestamp,
  WorkKind,
} from '../model/index.ts';

interface Row {
  readonly id: Id;
  readonly version: number;
}

/** Parts are plain JSON values or small arrays and maps of them, so their texts can be compared. */
function same(a: unknown, b: unknown): boolean {
  return Object.is(a, b) || JSON.stringify(a) === JSON.stringify(b);
}

/** Records of one kind: as they were loaded, and as the pass has changed them. */
export class Table<R extends Row> {
  #loaded = new Map<Id, R>();
  #rows = new Map<Id, R>();
  #guarded = new Set<Id>();
  #touched: () => void;

  constructor(rows: readonly R[], touched: () => void) {
    for (const row of rows) {
      this.#loaded.set(row.id, row);
      this.#rows.set(row.id, row);
    }
    this.#touched = touched;
  }

  get(id: Id | null): R | null {
    return id === null ? null : (this.#rows.get(id) ?? null);
  }

  all(): R[] {
    return [...this.#rows.values()];
  }

  /** Returns the record with the patch. Equal values are no change. */
  set(row: R, patch: Partial<R>): R {
    const now = this.#rows.get(row.id) ?? row;
    const next = { ...now, ...patch };
    const keys = Object.keys(patch) as (keyof R)[];
    if (keys.every((key) => same(now[key], next[key]))) return now;
    this.#rows.set(row.id, next);
    this.#touched();
    return next;
  }

  insert(row: R): R {
    this.#rows.set(row.id, row);
    this.#touched();
    return row;
  }

  delete(row: R): void {
    this.#rows.delete(row.id);
    this.#touched();
  }

  /** The pass relies on this row: a concurrent write makes the pass run again. */
  guard(id: Id): void {
    this.#guarded.add(id);
  }

  inserted(): R[] {
    return this.all().filter((row) => !this.#loaded.has(row.id));
  }

  deleted(): R[] {
    return [...this.#loaded.values()].filter((row) => !this.#rows.has(row.id));
  }

  /** Loaded records that the pass has changed, with the changed fields. */
  updated(): { id: Id; version: number; set: Partial<R> }[] {
    const result: { id: Id; version: number; set: Partial<R> }[] = [];
    for (const [id, before] of this.#loaded) {
      const after = this.#rows.get(id);
      if (after === undefined || (after === before && !this.#guarded.has(id))) continue;
      const keys = (Object.keys(after) as (keyof R)[]).filter((k) => !same(before[k], after[k]));
      if (keys.length === 0 && !this.#guarded.has(id)) continue;
      const set: Partial<R> = {};
      for (const key of keys) set[key] = after[key];
      result.push({ id, version: before.version, set });
    }
    return result;
  }
}

interface Loaded {
  readonly run?: RunRecord;
  readonly fleet?: FleetRecord;
  readonly jobs?: readonly JobRecord[];
  readonly instances?: readonly InstanceRecord[];
  readonly groups?: readonly GroupRecord[];
  readonly intents?: readonly IntentRecord[];
  /** Fleets of the instances, with how many instances each has; see `fleetUse`. */
  readonly fleetUses?: readonly FleetUse[];
}

export class Draft {
  readonly now: Timestamp;
  readonly newId: () => Id;
  readonly runs: Table<RunRecord>;
  readonly fleets: Table<FleetRecord>;
  readonly jobs: Table<JobRecord>;
  readonly instances: Table<InstanceRecord>;
  readonly groups: Table<GroupRecord>;
  /** By kind and subject, oldest attempt first. */
  #intents = new Map<string, IntentRecord[]>();
  #announced: IntentRecord[] = [];
  #cancelled = new Set<string>();
  #active = new Map<Id, number>();
  #checks = new Map<string, Change>();
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
    this.newId = ctx.newId ?? noIds;
    this.runs = new Table(loaded.run ? [loaded.run] : [], touched);
    const uses = loaded.fleetUses ?? [];
    const fleets = loaded.fleet ? [loaded.fleet] : uses.map((use) => use.fleet);
    this.fleets = new Table(fleets, touched);
    for (const { fleet, active } of uses) this.#active.set(fleet.id, active);
    this.jobs = new Table(loaded.jobs ?? [], touched);
    this.instances = new Table(loaded.instances ?? [], touched);
    this.groups = new Table(loaded.groups ?? [], touched);
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

  /** The pass uses a slot or GPUs of the `local` backend, whose state was read as `state`. */
  checkLocal(state: string): void {
    this.#checks.set('local', { type: 'local.check', state });
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
      ...fresh.map((intent): Change => ({ type: 'intent.insert', intent })),
      ...[...this.#cancelled]
        .filter((one) => !freshKeys.has(one))
        .map((one): Change => ({ type: 'intent.cancel', key: one })),
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

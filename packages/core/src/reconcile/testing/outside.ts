/**
 * Everything around the reconcilers for property tests: placement, workers, agents with processes,
 * and the cancelling of the store. It takes one small step at a time, so that a test can interleave
 * them in any order, and keeps its own record of what runs.
 */
import type { InstanceRecord, IntentRecord, JobRecord } from '../../model/index.ts';
import {
  INSTANCE_TRANSITIONS,
  isInstanceActive,
  isInstanceIdle,
  isJobFinished,
  isJobRunning,
  isJobSubmitted,
  isRunFinished,
  isRunTerminating,
  JOB_TRANSITIONS,
  mayFollow,
  RUN_TRANSITIONS,
} from '../../status/index.ts';
import { anInstance, anOffer, aPlaceholder, placedJob } from './records.ts';
import type { World } from './world.ts';

type Phase = 'accepted' | 'pulling' | 'held' | 'running' | 'exited';

interface Process {
  readonly hostId: string;
  readonly hold: boolean;
  phase: Phase;
  status: number | null;
}

export class Outside {
  readonly world: World;
  /** The processes of agents, by job. */
  processes = new Map<string, Process>();
  /** Machines that cost money, by instance. */
  billed = new Set<string>();
  #instances = 0;
  /** The host for which each order was announced: a late worker still uses it. */
  #targets = new Map<string, string>();
  #seen: { run: World['run']; jobs: World['jobs']; instances: World['instances'] };

  constructor(world: World) {
    this.world = world;
    for (const one of world.instances.values()) this.billed.add(one.id);
    this.#seen = this.#remember();
  }

  // Passes, with the invariants that are checked after each of them.

  passRun(): void {
    const jobsBefore = this.world.jobs.size + this.world.deletedJobs.length;
    const stopped = isRunTerminating(this.world.run.status) || isRunFinished(this.world.run.status);
    while (this.world.pass().signals.some((signal) => signal.kind === 'run'));
    const added = this.world.jobs.size + this.world.deletedJobs.length - jobsBefore;
    if (stopped && added > 0) throw new Error('a run that ends got a new submission');
    this.check();
    const again = this.world.pass().changes;
    if (again.length > 0) throw new Error(`not settled: ${JSON.stringify(again)}`);
    for (const job of this.world.jobs.values()) this.#checkBounded(job);
  }

  /**
   * Nothing may wait forever: without a timer, a job waits for placement, or is a reachable process
   * that its user keeps running.
   */
  #checkBounded(job: JobRecord): void {
    const { world } = this;
    if (isJobFinished(job.status) || world.run.nextPassAt !== null) return;
    if (isJobSubmitted(job.status) && job.instanceId === null) return;
    const inReach = world.hosts.get(
      world.instances.get(job.instanceId ?? '')?.hostId ?? '',
    )?.connected;
    const endless = isJobRunning(job.status) || job.spec.stop_duration === null;
    if (inReach && endless) return;
    throw new Error(`${job.id} is ${job.status} without a deadline`);
  }

  passInstance(id: string): void {
    while (this.world.instancePass(id)?.signals.some((signal) => signal.kind === 'instance'));
    this.check();
  }

  check(): void {
    const { world } = this;
    const before = this.#seen;
    follow('run', RUN_TRANSITIONS, before.run.status, world.run.status);
    for (const job of world.jobs.values()) this.#checkJob(job, before.jobs.get(job.id));
    for (const one of world.instances.values()) {
      this.#checkInstance(one, before.instances.get(one.id));
    }
    for (const intent of world.intents.values()) {
      if (!this.#targets.has(intent.key)) this.#targets.set(intent.key, this.#hostOf(intent));
    }
    this.#seen = this.#remember();
  }

  #remember() {
    const { run, jobs, instances } = this.world;
    return { run, jobs: new Map(jobs), instances: new Map(instances) };
  }

  #checkJob(job: JobRecord, before: JobRecord | undefined): void {
    if (before !== undefined) follow('job', JOB_TRANSITIONS, before.status, job.status);
    if (isJobFinished(job.status) && (job.instanceId !== null || job.claimedBlocks !== 0)) {
      throw new Error(`${job.id} is finished and holds ${job.instanceId}`);
    }
    const twin = [...this.world.jobs.values()].filter(
      (one) =>
        one.replicaNum === job.replicaNum &&
        one.jobNum === job.jobNum &&
        !isJobFinished(one.status),
    );
    if (twin.length > 1) throw new Error(`two live submissions of ${job.name}`);
    const had = before?.instanceId ?? null;
    if (had !== null && job.instanceId !== null && had !== job.instanceId) {
      throw new Error(`${job.id} was given a second instance`);
    }
  }

  #checkInstance(one: InstanceRecord, before: InstanceRecord | undefined): void {
    if (before !== undefined) follow('instance', INSTANCE_TRANSITIONS, before.status, one.status);
    const claims = [...this.world.jobs.values()]
      .filter((job) => job.instanceId === one.id)
      .reduce((sum, job) => sum + job.claimedBlocks, 0);
    if (claims !== one.busyBlocks) {
      throw new Error(`${one.id} has ${one.busyBlocks} busy blocks, jobs claim ${claims}`);
    }
  }

  // Placement.

  /**
   * The possible outcomes of placement for everything that waits: an idle instance, a new one, or
   * nothing.
   */
  place(choice: number): void {
    if (isRunFinished(this.world.run.status) || isRunTerminating(this.world.run.status)) return;
    const waiting = [...this.world.jobs.values()].filter(
      (job) => isJobSubmitted(job.status) && job.instanceId === null,
    );
    for (const job of waiting) {
      if (choice % 3 === 0) this.#placeOnIdle(job);
      else if (choice % 3 === 1) this.#placeOnNew(job);
      else if (job.refusal === null) this.#set(job, { refusal: { kind: 'no-fleets' } });
    }
    this.check();
  }

  #placeOnIdle(job: JobRecord): void {
    const { world } = this;
    let instance = [...world.instances.values()].find(
      (one) => isInstanceIdle(one.status) && one.busyBlocks === 0,
    );
    if (instance === undefined) {
      instance = anInstance({ id: `host-${++this.#instances}`, idleSeconds: 300 });
      this.billed.add(instance.id);
      world.connect(instance.id);
    }
    const { version } = instance;
    world.instances.set(instance.id, { ...instance, busyBlocks: 1, version: version + 1 });
    const { provisioningData, runtimeData } = placedJob(instance);
    this.#set(job, {
      status: 'provisioning',
      instanceId: instance.id,
      claimedBlocks: 1,
      provisioningData,
      runtimeData,
      provisionedAt: world.now,
      statusChangedAt: world.now,
      ...PLACED,
    });
  }

  #placeOnNew(job: JobRecord): void {
    const id = `host-${++this.#instances}`;
    const idleSeconds = this.#instances % 2 === 0 ? 0 : 300;
    const createdAt = this.world.now;
    this.world.instances.set(id, aPlaceholder(job.id, { id, idleSeconds, createdAt }));
    this.world.creating(id);
    this.#set(job, { instanceId: id, claimedBlocks: 1, ...PLACED });
  }

  #set(job: JobRecord, patch: Partial<JobRecord>): void {
    this.world.jobs.set(job.id, { ...job, ...patch, version: job.version + 1 });
  }

  // Workers.

  /** A worker that had begun a cancelled effect completes it; its result is not recorded. */
  carryOutLate(key: string): void {
    const intent = this.world.intents.get(key);
    this.world.cancelled.delete(key);
    const host = this.world.hosts.get(this.#targets.get(key) ?? '');
    if (intent !== undefined && host?.connected) this.#sendToAgent(intent, host.id, 0);
  }

  /** A worker takes up one announced effect. */
  carryOut(intent: IntentRecord, choice: number): void {
    const { world } = this;
    const host = world.hosts.get(this.#targets.get(intent.key) ?? '');
    switch (intent.kind) {
      case 'instance.create':
        this.#create(intent, choice);
        return;
      case 'instance.terminate':
        this.#terminate(intent, choice);
        return;
      default:
        if (host === undefined) {
          world.settle(intent.key, { kind: 'ok' }, 'the host has ended');
        } else if (host.connected) {
          this.#sendToAgent(intent, host.id, choice);
          world.settle(intent.key, { kind: 'ok' });
        }
    }
  }

  #hostOf(intent: IntentRecord): string {
    if (intent.payload.kind === 'job.remove') return intent.payload.hostId;
    const job = this.world.jobs.get(intent.subjectId);
    return (
      this.processes.get(intent.subjectId)?.hostId ??
      this.world.instances.get(job?.instanceId ?? '')?.hostId ??
      ''
    );
  }

  #create(intent: IntentRecord, choice: number): void {
    if (choice % 3 === 0) {
      this.world.settle(intent.key, { kind: 'no-capacity', message: 'All offers failed' });
      return;
    }
    this.billed.add(intent.subjectId);
    this.world.created(intent.subjectId, anOffer());
    if (choice % 3 === 1) this.world.connect(intent.subjectId);
  }

  #terminate(intent: IntentRecord, choice: number): void {
    if (choice % 3 === 0) {
      this.world.settle(intent.key, { kind: 'ok' }, 'not yet');
      return;
    }
    this.world.settle(intent.key, { kind: 'ok' });
    this.billed.delete(intent.subjectId);
    this.world.hosts.delete(intent.subjectId);
    for (const [id, one] of this.processes) {
      if (one.hostId === intent.subjectId) this.processes.delete(id);
    }
  }

  #sendToAgent(intent: IntentRecord, hostId: string, choice: number): void {
    const known = this.processes.get(intent.subjectId);
    switch (intent.payload.kind) {
      case 'job.start':
        if (known !== undefined) break;
        this.processes.set(intent.subjectId, {
          hostId,
          hold: intent.payload.hold,
          phase: 'accepted',
          status: null,
        });
        break;
      case 'job.release':
        if (known?.phase === 'held') known.phase = 'running';
        break;
      case 'job.stop':
        if (known !== undefined && (!intent.payload.grace || choice % 2 === 0)) exit(known, 130);
        break;
      case 'job.remove':
        this.processes.delete(intent.subjectId);
        return;
      default:
        return;
    }
    this.#sendReport(intent.subjectId);
  }

  // Agents.

  /** A process advances by one step. */
  progress(jobId: string, choice: number): void {
    const process = this.processes.get(jobId);
    if (process === undefined) return;
    switch (process.phase) {
      case 'accepted':
        process.phase = 'pulling';
        break;
      case 'pulling':
        if (choice % 5 === 0) exit(process, null);
        else process.phase = process.hold ? 'held' : 'running';
        break;
      case 'running':
        exit(process, choice % 3 === 0 ? 1 : 0);
        break;
      default:
        break;
    }
    this.#sendReport(jobId);
  }

  #sendReport(jobId: string): void {
    const { world } = this;
    const process = this.processes.get(jobId);
    if (process === undefined || !world.hosts.get(process.hostId)?.connected) return;
    if (!world.jobs.has(jobId)) return;
    world.report(jobId, {
      phase: process.phase,
      ssh_port: process.phase === 'running' ? 41000 : null,
      exit:
        process.phase === 'exited' ? { status: process.status, reason: null, message: null } : null,
    });
  }

  connect(hostId: string): void {
    if (!this.billed.has(hostId)) return;
    this.world.connect(hostId);
    for (const [jobId, one] of this.processes) if (one.hostId === hostId) this.#sendReport(jobId);
  }

  disconnect(hostId: string): void {
    if (this.world.hosts.has(hostId)) this.world.disconnect(hostId);
  }

  liveInstances(): InstanceRecord[] {
    return [...this.world.instances.values()].filter((one) => isInstanceActive(one.status));
  }
}

/** The fields that placement clears with the assignment. */
const PLACED = { refusal: null, waitingSince: null } as const;

function exit(process: Process, status: number | null): void {
  if (process.phase === 'exited') return;
  process.phase = 'exited';
  process.status = status;
}

function follow<S extends string>(
  kind: string,
  table: Readonly<Record<S, readonly S[]>>,
  from: S,
  to: S,
): void {
  // The reconciler checks each of several steps in one pass; this checks that a path exists.
  const reached = new Set<S>([from]);
  for (const status of reached) for (const next of table[status]) reached.add(next);
  if (from !== to && !mayFollow(table, from, to) && !reached.has(to)) {
    throw new Error(`${kind} went from ${from} to ${to}`);
  }
}

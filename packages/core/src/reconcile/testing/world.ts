/**
 * A run, its instances and their agents in memory. Decisions are applied as the store would apply
 * them (versions and uniqueness checked), so that tests read like stories instead of comparing
 * changes.
 */

import type { JobState } from '@dstack/contract/agent';
import { expectedObservation, observed } from '../../instances/index.ts';
import type {
  Decision,
  EngineSettings,
  FleetRecord,
  HostHealthRecord,
  HostRecord,
  InstanceObservation,
  InstanceRecord,
  IntentRecord,
  IntentResult,
  JobRecord,
  JobReport,
  ObservationRecord,
  Offer,
  RunRecord,
  RunSnapshot,
  Unobserved,
} from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';
import { isInstanceActive, isJobFinished } from '../../status/index.ts';
import { unobservedUntil, withUnobserved } from '../../time/index.ts';
import { reconcileInstance } from '../instance/reconcile-instance.ts';
import { reconcileRun } from '../run/reconcile-run.ts';
import type { RunContext } from '../run/run-pass.ts';
import { stopRun } from '../run/user-requests.ts';
import {
  aFleet,
  aHost,
  aJobSpec,
  anOffer,
  aReport,
  aRun,
  provisioningDataFor,
  SETTINGS,
} from './records.ts';
import { raised, WorldRows } from './world-rows.ts';

interface Start {
  readonly run?: Partial<RunRecord>;
  readonly jobs?: readonly JobRecord[];
  readonly instances?: readonly InstanceRecord[];
  readonly hosts?: readonly HostRecord[];
  readonly fleet?: FleetRecord;
  readonly settings?: Partial<EngineSettings>;
  readonly buildJobs?: RunContext['buildJobs'];
  readonly nextFire?: RunContext['nextFire'];
}

export class World extends WorldRows {
  hosts = new Map<string, HostRecord>();
  /** Health that agents have reported, by host. */
  health = new Map<string, HostHealthRecord>();
  reports = new Map<string, JobReport>();
  observations = new Map<string, ObservationRecord>();
  logEnds: Record<string, number> = {};
  overQuota: RunSnapshot['overQuota'] = {};
  gpuSamples: RunSnapshot['gpuSamples'] = {};
  probes: RunSnapshot['probes'] = {};
  volumes: RunSnapshot['volumes'] = [];
  dependencies: RunSnapshot['dependencies'] = [];
  /** Instances of the server host, for an instance that a fleet plans. */
  localInstances: number | null = null;
  requests: RunSnapshot['requests'] = null;
  load: RunSnapshot['load'] = null;
  livenessFailures: RunSnapshot['livenessFailures'] = {};
  askers: ReadonlySet<string> = new Set();
  buildJobs: RunContext['buildJobs'];
  nextFire: RunContext['nextFire'];
  settings: EngineSettings;
  unobserved: readonly Unobserved[] = [];
  #ids = 0;

  constructor(start: Start = {}) {
    super(aRun(start.run), start.fleet ?? aFleet());
    this.settings = { ...SETTINGS, ...start.settings };
    for (const job of start.jobs ?? []) this.jobs.set(job.id, job);
    for (const one of start.instances ?? []) this.instances.set(one.id, one);
    for (const one of start.hosts ?? []) this.hosts.set(one.id, one);
    const first = start.jobs?.[0]?.spec;
    const perReplica = first?.jobs_per_replica ?? 1;
    this.buildJobs =
      start.buildJobs ??
      ((_run, replica, group) =>
        Array.from({ length: perReplica }, (_, n) =>
          aJobSpec({
            ...first,
            replica_num: replica,
            job_num: n,
            replica_group: group,
            job_name: `train-${n}-${replica}`,
          }),
        ));
    this.nextFire = start.nextFire ?? (() => null);
  }

  get ctx(): RunContext {
    return {
      now: this.now,
      unobserved: this.unobserved,
      newId: () => `new-${++this.#ids}`,
      settings: this.settings,
      buildJobs: this.buildJobs,
      nextFire: this.nextFire,
    };
  }

  /** Newest submission of a job. */
  latest(replicaNum = 0, jobNum = 0): JobRecord {
    const own = [...this.jobs.values()].filter(
      (job) => job.replicaNum === replicaNum && job.jobNum === jobNum,
    );
    const newest = own.sort((a, b) => b.submissionNum - a.submissionNum)[0];
    if (newest === undefined) throw new Error(`no job ${replicaNum}/${jobNum}`);
    return newest;
  }

  announced(kind: string): IntentRecord[] {
    return [...this.intents.values()].filter((i) => i.kind === kind && i.state === 'announced');
  }

  snapshot(): RunSnapshot {
    const jobs = [...this.jobs.values()];
    const claimed = new Set(jobs.map((job) => job.instanceId));
    const instances = [...this.instances.values()].filter((one) => claimed.has(one.id));
    const subjects = new Set([...jobs, ...instances].map((one) => one.id));
    return {
      run: this.run,
      projectName: 'main',
      dependencies: this.dependencies,
      jobs,
      instances,
      fleetUses: [{ fleet: this.fleet, active: this.#active() }],
      hosts: [...this.hosts.values()].filter((h) => instances.some((one) => one.hostId === h.id)),
      reports: [...this.reports.values()],
      logEnds: this.logEnds,
      intents: [...this.intents.values()].filter((one) => subjects.has(one.subjectId)),
      overQuota: this.overQuota,
      gpuSamples: this.gpuSamples,
      load: this.load,
      livenessFailures: this.livenessFailures,
      askers: this.askers,
      probes: this.probes,
      volumes: this.volumes,
      requests: this.requests,
    };
  }

  /** One pass of the run. */
  pass(): Decision {
    const decision = reconcileRun(this.snapshot(), this.ctx);
    this.apply(decision);
    return decision;
  }

  instancePass(id = 'inst-1'): Decision | null {
    const instance = this.instances.get(id);
    if (instance === undefined) return null;
    const jobs = [...this.jobs.values()].filter(
      (job) => job.instanceId === id && !isJobFinished(job.status),
    );
    const decision = reconcileInstance(
      {
        instance,
        fleet: this.fleet,
        jobs,
        host: this.hosts.get(instance.hostId ?? '') ?? null,
        health: this.health.get(instance.hostId ?? '') ?? null,
        observation: this.observations.get(id) ?? null,
        group: this.groups.get(instance.groupId ?? '') ?? null,
        intents: [...this.intents.values()].filter((one) => one.subjectId === id),
        activeInFleet: this.#active(),
        local:
          this.localInstances === null
            ? null
            : {
                ...{ hostId: 'local', instances: this.localInstances, busy: [] },
                ...{ state: 'as read', isAlive: false },
              },
      },
      this.ctx,
    );
    this.apply(decision);
    return decision;
  }

  #active(): number {
    return [...this.instances.values()].filter((one) => isInstanceActive(one.status)).length;
  }

  // Events outside the server.

  later(seconds: number): this {
    this.now += seconds * SECOND;
    return this;
  }

  /** No server works for so long, or the clock is set by it. */
  jump(seconds: number): this {
    const from = Math.min(this.now, this.now + seconds * SECOND);
    this.later(seconds);
    const past = unobservedUntil(this.unobserved, this.now);
    this.unobserved = withUnobserved(past, { from, until: this.now });
    return this;
  }

  report(jobId: string, state: Partial<JobState>): this {
    const hostId = this.job(jobId).instanceId ?? this.reports.get(jobId)?.hostId ?? 'inst-1';
    this.reports.set(
      jobId,
      aReport(
        jobId,
        { ...this.reports.get(jobId)?.state, ...state },
        { receivedAt: this.now, hostId },
      ),
    );
    return this;
  }

  running(jobId: string): this {
    const at = { ssh_port: 41000, working_dir: '/workflow', username: 'root' };
    return this.report(jobId, { phase: 'running', ...at });
  }

  /** The process ends and its log is stored. */
  exit(jobId: string, status: number | null, reason: string | null = null): this {
    const exit = { status, reason, message: reason === null ? null : `because of ${reason}` };
    return this.report(jobId, { phase: 'exited', exit });
  }

  settle(key: string, result: IntentResult, error: string | null = null): this {
    const intent = this.intents.get(key);
    if (intent === undefined) throw new Error(`no intent ${key}`);
    const failed = error !== null || result.kind === 'refused';
    this.intents.set(key, {
      ...intent,
      state: failed ? 'failed' : 'done',
      result: error === null ? result : null,
      error,
      updatedAt: this.now,
    });
    return this;
  }

  /** The worker's result for a machine: the machine exists, and its agent has not connected yet. */
  created(instanceId: string, offer: Offer = anOffer(), hostId: string = instanceId): this {
    const result: IntentResult = {
      kind: 'instance.created',
      offer,
      handle: { id: 'i-1', data: null },
      provisioningData: provisioningDataFor(offer),
      hostId,
    };
    return this.settle(`instance.create:${instanceId}:0`, result);
  }

  /** Announces the creation that placement would have announced with the placeholder. */
  creating(instanceId: string): this {
    const key = `instance.create:${instanceId}:0`;
    this.intents.set(key, {
      key,
      kind: 'instance.create',
      subjectId: instanceId,
      attempt: 0,
      payload: { kind: 'instance.create', offers: [anOffer()], maxTries: 25, totalOffers: 1 },
      state: 'announced',
      result: null,
      error: null,
      createdAt: this.now,
      updatedAt: this.now,
    });
    return this;
  }

  /** The backend's answer to the last question about an instance. */
  observe(observation: InstanceObservation, id = 'inst-1'): this {
    const before = this.observations.get(id) ?? expectedObservation(id, this.now);
    const after = observed(before, observation, { now: this.now, isSettled: false });
    this.observations.set(id, after);
    return this;
  }

  connect(hostId = 'inst-1', patch: Partial<HostRecord> = {}): this {
    this.hosts.set(hostId, aHost({ id: hostId, since: this.now, ...patch }));
    return this;
  }

  disconnect(hostId = 'inst-1'): this {
    const host = this.hosts.get(hostId) ?? aHost({ id: hostId });
    this.hosts.set(hostId, { ...host, connected: false, since: this.now });
    return this;
  }

  /** The changes that the API writes for `runs/stop`. */
  stop(abort = false): this {
    const decision = stopRun(this.run, { abort, actor: null, now: this.now });
    for (const change of decision?.changes ?? []) {
      if (change.type === 'run.update') this.run = raised(this.run, change);
    }
    return this;
  }
}

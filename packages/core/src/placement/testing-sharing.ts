/**
 * A pool that projects share, over time: gangs are submitted, run, leave for others and are submitted again by a simulated
 * clock, and placement decides at each of these moments, as it does on a server. For tests.
 */
import type {
  ChargeRecord,
  ClaimState,
  Decision,
  FleetRecord,
  Gang,
  InstanceRecord,
  JobRecord,
  PlacementSnapshot,
  PreemptionSettings,
  QuotaRecord,
} from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { plus } from '../quotas/amounts.ts';
import { place } from './pass.ts';
import {
  aContext,
  aFleet,
  aGang,
  anInstance,
  anOffer,
  aRun,
  aSnapshot,
  mayUse,
} from './testing.ts';

/** Times in seconds. */
export interface SharedRun {
  readonly project: string;
  /** On each node. */
  readonly gpus: number;
  readonly nodes?: number;
  readonly priority?: number;
  /** How long it runs; omitted = until it is stopped. */
  readonly runs?: number;
  /** From Ctrl-C to its exit. */
  readonly stops?: number;
  /** `max_duration`. */
  readonly limit?: number;
}

export interface SharedPoolOptions {
  readonly hosts: number;
  readonly gpusPerHost: number;
  readonly preemption?: Partial<PreemptionSettings>;
}

interface Member {
  readonly name: string;
  readonly wanted: SharedRun;
  readonly submittedAt: number;
  gang: Gang;
  /** Null: it waits. */
  startedAt: number | null;
  leavesAt: number | null;
}

const NO_AMOUNTS = { gpu: null, cpu: null, memory: null, instances: null, cost: null };

export class SharedPool {
  /** How often each run had to leave. */
  readonly preempted = new Map<string, number>();
  readonly #fleet: FleetRecord;
  readonly #instances: InstanceRecord[];
  readonly #members = new Map<string, Member>();
  readonly #quotas = new Map<string, QuotaRecord>();
  readonly #settings: PreemptionSettings;
  readonly #projects = new Set<string>();
  #now = 1000;
  #again: number | null = null;
  #passes = 0;

  constructor({ hosts, gpusPerHost, preemption }: SharedPoolOptions) {
    this.#settings = { mode: 'reclaim', minRuntime: 0, grace: 60, ...preemption };
    const ssh = { hosts: ['h'], user: 'u' };
    this.#fleet = aFleet('pool', { placement: 'cluster', ssh_config: ssh, blocks: gpusPerHost });
    const machine = { cpus: 8 * gpusPerHost, memoryGb: 64 * gpusPerHost, gpus: gpusPerHost };
    const state = { totalBlocks: gpusPerHost, status: 'idle' as const, idleSeconds: null };
    this.#instances = Array.from({ length: hosts }, (_, num) =>
      anInstance(this.#fleet, num, anOffer(machine), state),
    );
  }

  /** GPUs that are guaranteed to a project, and the most that it may use. */
  quota(project: string, guaranteed: number | null, limit: number | null = null): this {
    this.#projects.add(project);
    const terms = (gpu: number | null) => (gpu === null ? null : { ...NO_AMOUNTS, gpu });
    this.#quotas.set(project, {
      ...{ id: `q-${project}`, projectId: project, fleetId: null, userId: null, weight: null },
      guaranteed: terms(guaranteed),
      limits: limit === null ? null : { ...NO_AMOUNTS, gpu: limit, runs: null },
    });
    return this;
  }

  submit(name: string, wanted: SharedRun): this {
    this.#projects.add(wanted.project);
    const submittedAt = this.#now;
    const gang = this.#waitingGang(name, wanted, submittedAt);
    this.#members.set(name, { name, wanted, submittedAt, gang, startedAt: null, leavesAt: null });
    this.#settle();
    return this;
  }

  stop(name: string): this {
    this.#end(this.#member(name));
    this.#members.delete(name);
    this.#settle();
    return this;
  }

  /** The host gets no jobs any more, and what runs there is lost. */
  lose(host: number): this {
    const id = this.#instances[host]?.id ?? '';
    for (const member of this.#members.values()) {
      if (member.gang.jobs.some(({ instanceId }) => instanceId === id)) this.#requeue(member);
    }
    this.#change(id, (one) => ({ ...one, unreachable: true }));
    this.#settle();
    return this;
  }

  /** Lets time pass. */
  pass(seconds: number): this {
    const until = this.#now + seconds;
    for (;;) {
      const next = this.#nextAt();
      if (next > until) break;
      this.#now = Math.max(this.#now, next);
      for (const member of [...this.#members.values()]) this.#follow(member);
      this.#settle();
    }
    this.#now = until;
    return this;
  }

  /** GPUs in use by each project. */
  get use(): Readonly<Record<string, number>> {
    const use: Record<string, number> = {};
    for (const { gang, wanted, startedAt } of this.#members.values()) {
      if (startedAt === null) continue;
      use[wanted.project] = (use[wanted.project] ?? 0) + wanted.gpus * gang.jobs.length;
    }
    return use;
  }

  get running(): readonly string[] {
    return [...this.#members.values()].flatMap((one) => (one.startedAt === null ? [] : [one.name]));
  }

  get preemptions(): number {
    return [...this.preempted.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Those who have been asked to leave and are still there. */
  get leaving(): readonly string[] {
    return [...this.#members.values()].flatMap((one) =>
      one.gang.jobs.some(({ eviction }) => eviction !== null) ? [one.name] : [],
    );
  }

  #member(name: string): Member {
    const member = this.#members.get(name);
    if (!member) throw new Error(`no run ${name}`);
    return member;
  }

  #waitingGang(name: string, wanted: SharedRun, submittedAt: number): Gang {
    const { project, gpus, nodes = 1, priority = 0, limit } = wanted;
    const run = aRun(
      name,
      {
        ...{ nodes, resources: { cpu: '1..', memory: '1GB..', disk: '1GB..', gpu: gpus } },
        ...{ retry: true, stop_duration: 0, priority },
        ...(limit === undefined ? {} : { max_duration: limit }),
      },
      { projectId: project, submittedAt: submittedAt * SECOND },
    );
    const waits = { refusal: { kind: 'no-fleets' }, waitingSince: submittedAt * SECOND } as const;
    const gang = aGang(run, 0, waits);
    return { ...gang, jobs: gang.jobs.map((job) => ({ ...job, projectId: project })) };
  }

  /** Passes until one changes nothing. */
  #settle(): void {
    for (let passes = 0; this.#decide(); passes++) {
      if (passes > 1000) throw new Error('the pool never comes to rest');
    }
  }

  #decide(): boolean {
    this.#passes += 1;
    const gangs = [...this.#members.values()].flatMap((one) =>
      one.startedAt === null ? [one.gang] : [],
    );
    this.#again = null;
    this.#withdraw();
    if (gangs.length === 0) return false;
    const { settings, newId } = aContext();
    const decision = place(this.#snapshot(gangs), new Map(), {
      ...{ now: this.#now * SECOND, newId: () => `${newId()}-${this.#passes}` },
      settings: { ...settings, preemption: this.#settings },
    });
    const { again = null } = decision;
    this.#again = again === null ? null : again / SECOND;
    return this.#apply(decision);
  }

  #snapshot(gangs: readonly Gang[]): PlacementSnapshot {
    const charges = this.#claims().flatMap(({ projectId, charge }) =>
      charge ? [{ projectId, charge }] : [],
    );
    const quotas = [...this.#quotas.values()].map((quota) => ({
      quota,
      used: { '': sumOf(charges.filter(({ projectId }) => projectId === quota.projectId)) },
    }));
    return aSnapshot({
      ...{ fleets: [this.#fleet], instances: this.#instances, gangs, quotas },
      ...{ claims: this.#claims(), occupants: this.#occupants() },
      projects: mayUse([...this.#projects], [this.#fleet]),
    });
  }

  #running(): Member[] {
    return [...this.#members.values()].filter(({ startedAt }) => startedAt !== null);
  }

  #claims(): ClaimState[] {
    return this.#running().flatMap(({ gang: { run, jobs }, startedAt }) =>
      jobs.map((job): ClaimState => {
        const at = (startedAt ?? 0) * SECOND;
        return {
          ...{ jobId: job.id, version: job.version, runId: run.id, projectId: run.projectId },
          ...{ replicaNum: 0, priority: run.priority, instanceId: job.instanceId ?? '' },
          ...{ blocks: job.claimedBlocks, charge: job.charge, claimedAt: at, runningAt: at },
          ...{ isEnding: false, isService: false, isReady: false, eviction: job.eviction },
        };
      }),
    );
  }

  #occupants(): NonNullable<PlacementSnapshot['occupants']> {
    return this.#running().flatMap(({ gang, wanted: { limit }, startedAt }) =>
      limit === undefined
        ? []
        : gang.jobs.map((job) => ({
            ...{ instanceId: job.instanceId ?? '', blocks: job.claimedBlocks },
            ...{ startedAt: (startedAt ?? 0) * SECOND, runningAt: (startedAt ?? 0) * SECOND },
            limit: { seconds: limit, stopSeconds: 0 },
          })),
    );
  }

  /** Whether anything has changed that another pass may depend on. */
  #apply({ changes }: Decision): boolean {
    let isChanged = false;
    const sets = new Map<string, Partial<JobRecord>>();
    for (const change of changes) {
      if (change.type === 'instance.update') {
        this.#change(change.id, (one) => ({ ...one, ...change.set, version: one.version + 1 }));
      }
      if (change.type === 'job.update') sets.set(change.id, change.set);
    }
    for (const member of this.#members.values()) {
      const jobs = member.gang.jobs.map((job) => {
        const set = sets.get(job.id);
        if (set) isChanged = true;
        return set ? { ...job, ...set, version: job.version + 1 } : job;
      });
      member.gang = { ...member.gang, jobs };
      const [first] = jobs;
      if (member.startedAt === null && first?.instanceId) {
        member.startedAt = this.#now;
        member.gang = { ...member.gang, jobs: jobs.map((job) => ({ ...job, reclaim: null })) };
      }
      const { eviction } = first ?? {};
      if (eviction && member.leavesAt === null) {
        const interrupted = eviction.requestedAt / SECOND + eviction.seconds / 2;
        member.leavesAt = interrupted + (member.wanted.stops ?? 0);
      }
    }
    return isChanged;
  }

  /** Those may stay whose asker waits no more, unless they have got Ctrl-C. */
  #withdraw(): void {
    for (const member of this.#running()) {
      const { eviction } = member.gang.jobs[0] ?? {};
      if (!eviction) continue;
      const interruptedAt = eviction.requestedAt / SECOND + eviction.seconds / 2;
      const asker = [...this.#members.values()].find(({ gang }) => gang.run.id === eviction.runId);
      const isWaiting = asker?.startedAt === null && asker.gang.jobs[0]?.reclaim != null;
      if (isWaiting || this.#now >= interruptedAt) continue;
      member.leavesAt = null;
      const jobs = member.gang.jobs.map((job) => ({ ...job, eviction: null }));
      member.gang = { ...member.gang, jobs };
    }
  }

  #follow(member: Member): void {
    if (member.startedAt === null) return;
    if (member.leavesAt !== null && member.leavesAt <= this.#now) {
      this.preempted.set(member.name, (this.preempted.get(member.name) ?? 0) + 1);
      this.#requeue(member);
    } else if (this.#endOf(member) <= this.#now) {
      this.#end(member);
      this.#members.delete(member.name);
    }
  }

  #endOf({ startedAt, wanted: { runs, limit } }: Member): number {
    if (startedAt === null) return Number.POSITIVE_INFINITY;
    return startedAt + Math.min(runs ?? Infinity, limit ?? Infinity);
  }

  #requeue(member: Member): void {
    this.#end(member);
    member.startedAt = null;
    member.leavesAt = null;
    member.gang = this.#waitingGang(member.name, member.wanted, member.submittedAt);
  }

  #end({ gang, startedAt }: Member): void {
    if (startedAt === null) return;
    for (const { instanceId, claimedBlocks } of gang.jobs) {
      this.#change(instanceId ?? '', (one) => {
        const busyBlocks = one.busyBlocks - claimedBlocks;
        return { ...one, busyBlocks, status: busyBlocks === 0 ? 'idle' : 'busy' };
      });
    }
  }

  #change(id: string, change: (one: InstanceRecord) => InstanceRecord): void {
    const index = this.#instances.findIndex((one) => one.id === id);
    const known = this.#instances[index];
    if (known) this.#instances[index] = change(known);
  }

  #nextAt(): number {
    const ends = [...this.#members.values()].flatMap((one) => [
      this.#endOf(one),
      one.leavesAt ?? Number.POSITIVE_INFINITY,
    ]);
    return Math.min(...ends, this.#again ?? Number.POSITIVE_INFINITY);
  }
}

function sumOf(charges: readonly { readonly charge: ChargeRecord }[]) {
  return charges.map(({ charge }) => charge.amounts).reduce(plus, {});
}

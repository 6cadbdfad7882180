/**
 * A pool over time: jobs arrive, run and end by a simulated clock, and placement decides at each of these
 * moments, as it does on a server. For tests and the bench.
 */
import type { Decision, FleetRecord, Gang, InstanceRecord, Occupant } from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { timeLimitOf } from './gang-request.ts';
import { place } from './pass.ts';
import { compareRanks, rankOf } from './rank/order.ts';
import { aContext, aFleet, aGang, anInstance, anOffer, aRun, aSnapshot } from './testing.ts';

/** Times in seconds. */
export interface ReplayedJob {
  readonly name: string;
  readonly arrives: number;
  /** GPUs: below the size of a host a share of one, else whole hosts. */
  readonly gpus: number;
  readonly runs: number;
  /** `max_duration`; null = none. */
  readonly limit: number | null;
  readonly priority?: number;
}

export interface ReplayedPool {
  readonly hosts: number;
  readonly gpusPerHost: number;
}

/** The history of a job; times in seconds. */
export interface Played {
  readonly job: ReplayedJob;
  startedAt: number;
  endsAt: number;
  /** Every expected start that it was given while it waited. */
  readonly promises: { readonly at: number; readonly startsAt: number }[];
}

/** Waiting gangs given to a pass, by demand class. */
const PER_CLASS = 3;

export class Replay {
  readonly #decide: typeof place;
  readonly #fleet: FleetRecord;
  readonly #size: number;
  readonly #instances: InstanceRecord[];
  readonly #waiting = new Map<string, { gang: Gang; readonly played: Played }>();
  readonly #running = new Map<string, { readonly gang: Gang; readonly played: Played }>();
  readonly #numbers = new Map<string, number>();

  constructor({ hosts, gpusPerHost }: ReplayedPool, decide: typeof place = place) {
    this.#decide = decide;
    this.#size = gpusPerHost;
    const ssh = { hosts: ['h'], user: 'u' };
    this.#fleet = aFleet('pool', { placement: 'cluster', ssh_config: ssh, blocks: gpusPerHost });
    const machine = { cpus: 8 * gpusPerHost, memoryGb: 64 * gpusPerHost, gpus: gpusPerHost };
    const offer = anOffer(machine);
    const state = { totalBlocks: gpusPerHost, status: 'idle' as const, idleSeconds: null };
    this.#instances = Array.from({ length: hosts }, (_, num) =>
      anInstance(this.#fleet, num, offer, state),
    );
    for (const [num, { id }] of this.#instances.entries()) this.#numbers.set(id, num);
  }

  /** Plays all jobs to their end. */
  play(jobs: readonly ReplayedJob[], each: (now: number) => void = () => {}): Played[] {
    const queue = jobs.toSorted((a, b) => a.arrives - b.arrives);
    const all: Played[] = [];
    let next = 0;
    while (next < queue.length || this.#running.size > 0 || this.#waiting.size > 0) {
      const arrival = queue[next]?.arrives ?? Infinity;
      const end = Math.min(...[...this.#running.values()].map(({ played }) => played.endsAt));
      const now = Math.min(arrival, end);
      if (now === Infinity) throw new Error(`${this.#waiting.size} jobs wait for ever`);
      for (const [id, { gang, played }] of this.#running) {
        if (played.endsAt <= now) this.#end(id, gang);
      }
      for (let job = queue[next]; job !== undefined && job.arrives <= now; job = queue[++next]) {
        all.push(this.#submit(job));
      }
      while (this.#pass(now));
      each(now);
    }
    return all;
  }

  get busyGpus(): number {
    return this.#instances.reduce((sum, { busyBlocks }) => sum + busyBlocks, 0);
  }

  #submit(job: ReplayedJob): Played {
    const nodes = Math.max(1, Math.ceil(job.gpus / this.#size));
    const gpus = nodes > 1 ? this.#size : job.gpus;
    const run = aRun(
      job.name,
      {
        ...{ nodes, resources: { cpu: '1..', memory: '1GB..', disk: '1GB..', gpu: gpus } },
        ...{ retry: true, stop_duration: 0, priority: job.priority ?? 0 },
        max_duration: job.limit ?? 'off',
      },
      { submittedAt: job.arrives * SECOND },
    );
    const waits = { refusal: { kind: 'no-fleets' }, waitingSince: job.arrives * SECOND } as const;
    const played: Played = { job, startedAt: -1, endsAt: Infinity, promises: [] };
    this.#waiting.set(run.id, { gang: aGang(run, 0, waits), played });
    return played;
  }

  #end(runId: string, { jobs }: Gang): void {
    this.#running.delete(runId);
    for (const { instanceId, claimedBlocks } of jobs) {
      this.#change(instanceId ?? '', (one) => {
        const busyBlocks = one.busyBlocks - claimedBlocks;
        return { ...one, busyBlocks, status: busyBlocks === 0 ? 'idle' : 'busy' };
      });
    }
  }

  #change(id: string, change: (one: InstanceRecord) => InstanceRecord): void {
    const num = this.#numbers.get(id) ?? -1;
    const known = this.#instances[num];
    if (known) this.#instances[num] = change(known);
  }

  /** Whether another pass has to follow. */
  #pass(now: number): boolean {
    const { gangs, more } = this.#queue();
    if (gangs.length === 0) return false;
    const snapshot = aSnapshot({
      ...{ fleets: [this.#fleet], instances: this.#instances, gangs, more },
      occupants: this.#occupants(),
    });
    const decision = this.#decide(snapshot, NONE, { ...aContext(), now: now * SECOND });
    this.#apply(decision, now);
    return decision.signals.some(({ kind }) => kind === 'pool');
  }

  #queue(): { readonly gangs: Gang[]; readonly more: Set<string> } {
    const ranked = [...this.#waiting.values()]
      .map(({ gang }) => ({ gang, rank: rankOf(gang) }))
      .sort((a, b) => compareRanks(a.rank, b.rank));
    const counts = new Map<string, number>();
    const more = new Set<string>();
    const gangs = ranked.flatMap(({ gang }) => {
      const demand = gang.jobs[0]?.demand ?? '';
      const count = (counts.get(demand) ?? 0) + 1;
      counts.set(demand, count);
      if (count > PER_CLASS) more.add(demand);
      return count > PER_CLASS && !gang.jobs[0]?.reserved ? [] : [gang];
    });
    return { gangs, more };
  }

  #occupants(): Occupant[] {
    return [...this.#running.values()].flatMap(({ gang, played }) =>
      gang.jobs.flatMap(({ instanceId, claimedBlocks: blocks, spec }) => {
        const limit = timeLimitOf(spec);
        if (instanceId === null || limit === null) return [];
        const startedAt = played.startedAt * SECOND;
        return [{ instanceId, blocks, startedAt, runningAt: startedAt, limit }];
      }),
    );
  }

  #apply({ changes }: Decision, now: number): void {
    for (const change of changes) {
      if (change.type === 'instance.update') {
        this.#change(change.id, (one) => ({ ...one, ...change.set, version: one.version + 1 }));
      }
    }
    const sets = new Map(
      changes.flatMap((change) => (change.type === 'job.update' ? [[change.id, change.set]] : [])),
    );
    for (const [runId, waiting] of this.#waiting) {
      const jobs = waiting.gang.jobs.map((job) => {
        const set = sets.get(job.id);
        return set ? { ...job, ...set, version: job.version + 1 } : job;
      });
      if (jobs.every((job, i) => job === waiting.gang.jobs[i])) continue;
      waiting.gang = { ...waiting.gang, jobs };
      const [first] = jobs;
      const { played } = waiting;
      if (first?.instanceId != null) {
        played.startedAt = now;
        const { runs, limit } = played.job;
        played.endsAt = now + Math.min(runs, limit ?? Infinity);
        this.#waiting.delete(runId);
        this.#running.set(runId, waiting);
      } else if (first?.reserved) {
        played.promises.push({ at: now, startsAt: first.reserved.startsAt / SECOND });
      }
    }
  }
}

const NONE = new Map();

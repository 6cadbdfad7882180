/** A pool over time in which users always have more work than there is room for. For tests of shares. */
import type { Gang, InstanceRecord, QuotaState, ShareState } from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { usageAfter } from '../shares/decay.ts';
import { place } from './pass.ts';
import {
  aContext,
  aFleet,
  aGang,
  anInstance,
  anOffer,
  aRun,
  aSnapshot,
  changesOf,
  mayUse,
} from './testing.ts';

/** Times in hours. */
export interface EndlessUser {
  readonly project: string;
  readonly user: string;
  /** The next job that he submits. */
  readonly next: () => {
    readonly gpus: number;
    readonly hours: number;
    readonly priority?: number;
  };
  /** Before this time he has no work. */
  readonly from?: number;
}

export interface StartedJob {
  readonly name: string;
  readonly project: string;
  readonly user: string;
  readonly gpus: number;
  readonly priority: number;
  readonly submittedAt: number;
  readonly at: number;
  readonly endsAt: number;
}

/** Hours: the default of `DSTACK_SHARE_HALF_LIFE`. */
export const HALF_LIFE = 7 * 24;

/** Waiting jobs that each user has at any time. */
const WAITING = 3;

const GPUS = 8;

interface WaitingJob {
  readonly gang: Gang;
  readonly hours: number;
  readonly gpus: number;
}

interface RunningJob {
  readonly job: StartedJob;
  readonly instanceId: string;
  readonly rate: number;
}

export class EndlessPool {
  readonly started: StartedJob[] = [];
  readonly #fleet = aFleet('pool', { ssh_config: { hosts: ['h'], user: 'u' }, blocks: GPUS });
  readonly #users: readonly EndlessUser[];
  readonly #quotas: readonly QuotaState[];
  readonly #shares = new Map<string, ShareState>();
  #instances: InstanceRecord[];
  #waiting: WaitingJob[] = [];
  #running: RunningJob[] = [];
  #now = 0;
  #submitted = 0;

  constructor(hosts: number, users: readonly EndlessUser[], weights: Record<string, number>) {
    this.#users = users;
    this.#quotas = Object.entries(weights).map(([projectId, weight]) => ({
      quota: {
        ...{ id: projectId, projectId, fleetId: null, userId: null },
        ...{ guaranteed: null, limits: null, weight },
      },
      used: {},
    }));
    const offer = anOffer({ cpus: 8 * GPUS, memoryGb: 64 * GPUS, gpus: GPUS });
    const state = { totalBlocks: GPUS, status: 'idle' as const };
    this.#instances = Array.from({ length: hosts }, (_, num) =>
      anInstance(this.#fleet, num, offer, state),
    );
  }

  /** Decayed usage of a project, in GPU hours. */
  usageOf(project: string): number {
    const own = [...this.#shares.values()].filter(({ projectId }) => projectId === project);
    return own.reduce((sum, { usage }) => sum + usage, 0);
  }

  /** Plays until this hour. */
  until(end: number): void {
    for (;;) {
      this.#submit();
      this.#pass();
      const ends = this.#running.map(({ job }) => job.endsAt);
      const froms = this.#users.flatMap(({ from = 0 }) => (from > this.#now ? [from] : []));
      const next = Math.min(...ends, ...froms);
      if (next > end) break;
      this.#settle(next);
      for (const one of this.#running.filter(({ job }) => job.endsAt <= next)) this.#end(one);
    }
    this.#settle(end);
  }

  #submit(): void {
    for (const { project, user, next, from = 0 } of this.#users) {
      const own = ({ gang }: { readonly gang: Gang }) =>
        gang.run.projectId === project && gang.run.userId === user;
      while (from <= this.#now && this.#waiting.filter(own).length < WAITING) {
        const { gpus, hours, priority = 0 } = next();
        const resources = { cpu: '1..', memory: '1GB..', disk: '1GB..', gpu: gpus };
        const submittedAt = this.#now * 3600 * SECOND + this.#submitted;
        const patch = { projectId: project, userId: user, submittedAt, priority };
        const run = aRun(`run${this.#submitted++}`, { resources, retry: true, priority }, patch);
        const waits = { refusal: { kind: 'no-fleets' }, waitingSince: submittedAt } as const;
        this.#waiting.push({ gang: aGang(run, 0, waits), hours, gpus });
      }
    }
  }

  #pass(): void {
    const projects = [...new Set(this.#users.map(({ project }) => project))];
    const snapshot = aSnapshot({
      ...{ fleets: [this.#fleet], instances: this.#instances, quotas: this.#quotas },
      gangs: this.#waiting.map(({ gang }) => gang),
      projects: mayUse(projects, [this.#fleet]),
      shares: { states: [...this.#shares.values()], gpuPrices: {} },
    });
    const now = this.#now * 3600 * SECOND + this.#submitted;
    const decision = place(snapshot, new Map(), { ...aContext(), now });
    for (const { id, set } of changesOf(decision, 'instance.update')) {
      this.#instances = this.#instances.map((one) => (one.id === id ? { ...one, ...set } : one));
    }
    for (const { id, set } of changesOf(decision, 'job.update')) {
      const found = this.#waiting.find(({ gang }) => gang.jobs[0]?.id === id);
      if (!found || typeof set.instanceId !== 'string') continue;
      this.#waiting = this.#waiting.filter((one) => one !== found);
      this.#begin(found, set.instanceId, set.charge?.share?.rate ?? Number.NaN);
    }
  }

  #begin({ gang: { run }, hours, gpus }: WaitingJob, instanceId: string, rate: number): void {
    const { name, projectId: project, userId: user, submittedAt, priority } = run;
    const times = { submittedAt, at: this.#now, endsAt: this.#now + hours };
    const job = { name, project, user, gpus, priority, ...times };
    this.started.push(job);
    this.#running.push({ job, instanceId, rate });
    this.#change(job, rate);
  }

  #end(one: RunningJob): void {
    this.#running = this.#running.filter((other) => other !== one);
    this.#instances = this.#instances.map((instance) => {
      if (instance.id !== one.instanceId) return instance;
      const busyBlocks = instance.busyBlocks - one.job.gpus;
      return { ...instance, busyBlocks, status: busyBlocks === 0 ? 'idle' : 'busy' };
    });
    this.#change(one.job, -one.rate);
  }

  #change({ project, user }: StartedJob, rate: number): void {
    const key = `${project} ${user}`;
    const empty = { projectId: project, userId: user, usage: 0, rate: 0 };
    const known = this.#shares.get(key) ?? empty;
    this.#shares.set(key, { ...known, rate: known.rate + rate });
  }

  #settle(now: number): void {
    for (const [key, share] of this.#shares) {
      const usage = usageAfter(share, (now - this.#now) * 3600, HALF_LIFE * 3600);
      this.#shares.set(key, { ...share, usage });
    }
    this.#now = now;
  }
}

/** Diagnoses all jobs of a run, and looks for a place for the jobs without one. */
import type { Gang, JobRecord, PlacementSnapshot } from '../model/index.ts';
import type { BackendAnswers, BackendsState } from '../placement/backend-answers.ts';
import { type Forecast, forecastQueue } from '../placement/forecast.ts';
import { lookAtGang } from '../placement/look-ahead.ts';
import type { Ask, OffersWanted } from '../placement/place/new-capacity.ts';
import { RunPass } from '../reconcile/run/run-pass.ts';
import { type Replica, replicasOf, wantedFailures } from '../reconcile/service/replicas.ts';
import {
  isCapacityReason,
  isJobSubmitted,
  isRunActive,
  isRunFinished,
  isRunPending,
  latestSubmissions,
} from '../status/index.ts';
import type { Surroundings } from './considered.ts';
import { demandOrId, examinedJobs } from './examined.ts';
import type { ExplainContext, ExplainedRun, UpstreamRun } from './input.ts';
import type { JobDiagnosis } from './job-diagnosis.ts';
import { diagnoseJob, diagnoseRetry } from './job-parts.ts';
import { Names } from './names.ts';
import type { TrialWorld } from './trials.ts';
import { isGangOf, type Waiting, waitingOf } from './waiting.ts';

export class RunDiagnosis {
  readonly pass: RunPass;
  readonly around: Surroundings;
  readonly world: TrialWorld;
  readonly wanted = new Map<string, OffersWanted>();
  readonly #input: ExplainedRun;
  readonly #waiting = new Map<number, Waiting>();
  /** Has the offers that are known, and asks for no more. */
  readonly #answered: Ask;
  #forecasts: Forecast[] | null = null;

  constructor(
    input: ExplainedRun,
    backends: BackendsState,
    answers: BackendAnswers,
    ctx: ExplainContext,
  ) {
    const context = { ...ctx, newId: () => 'new' };
    this.#input = input;
    this.pass = new RunPass(input.run, { ...context, buildJobs: () => [], nextFire: () => null });
    const { projectId } = input.run.run;
    this.around = {
      names: new Names(projectId, input.projectNames, ctx.viewer),
      holders: input.holders,
      backends,
      market: { abilities: backends.abilities, notes: answers.notes },
    };
    const ask: Ask = (question) => {
      // Runs of other projects that are ahead may only take what exists.
      if (question.projectId !== null && question.projectId !== projectId) return [];
      const offers = answers.offers.get(question.key);
      if (offers === undefined) this.wanted.set(question.key, question);
      return offers ?? [];
    };
    this.#answered = ({ key }) => answers.offers.get(key) ?? [];
    this.world = { snapshot: this.#queue(), ask, ctx: context };
    this.#findPlaces();
  }

  get upstreams(): readonly UpstreamRun[] {
    return this.#input.upstreams;
  }

  get jobs(): JobRecord[] {
    return this.pass.latest;
  }

  /** The replica's gang, if it waits for a place. */
  waitingOf(replicaNum: number): Waiting | null {
    return this.#waiting.get(replicaNum) ?? null;
  }

  /** The first of the gangs that wait for a place. */
  get firstWaiting(): Waiting | null {
    return [...this.#waiting.values()][0] ?? null;
  }

  /** All jobs, ordered by replica and job number. */
  diagnoses(): JobDiagnosis[] {
    const failures = new Map(this.#retried().map((replica) => [replica.num, replica]));
    return this.jobs.map((job) => {
      const replica = failures.get(job.replicaNum);
      if (replica) return diagnoseRetry(this.pass, replica, job);
      return diagnoseJob(this.pass, job, this.waitingOf(job.replicaNum));
    });
  }

  /** Failed replicas that will be retried. */
  #retried(): Replica[] {
    const { run } = this.pass;
    const goesOn =
      isRunActive(run.status) || (isRunPending(run.status) && run.resubmissionAttempt > 0);
    return goesOn ? wantedFailures(this.pass) : [];
  }

  /** The queue with this run's gangs added, even if no pass would load them or they have ended. */
  #queue(): PlacementSnapshot {
    const { queue } = this.#input;
    const own = this.#ownGangs();
    const others = queue.gangs.filter((gang) => gang.run.id !== this.pass.run.id);
    return { ...queue, gangs: [...others, ...own] };
  }

  #ownGangs(): Gang[] {
    const { run } = this.pass;
    const replicas = replicasOf(latestSubmissions(this.#input.run.jobs));
    if (isRunActive(run.status)) {
      return replicas.filter(isUnplaced).map(({ jobs }) => ({ run, jobs }));
    }
    if (!isRunFinished(run.status)) return [];
    return replicas.filter(isStarved).map(({ jobs }) => this.#again(jobs));
  }

  /** Gangs that ended without a place, as if they were submitted again. */
  #again(jobs: readonly JobRecord[]): Gang {
    const { now } = this.pass;
    const run = { ...this.pass.run, status: 'submitted', fleetId: null, submittedAt: now } as const;
    const fresh = { status: 'submitted', instanceId: null, stopRequestedAt: null } as const;
    return { run, jobs: jobs.map((job) => ({ ...job, ...fresh, waitingSince: null })) };
  }

  #findPlaces(): void {
    const heads = this.#ownGangs().flatMap(({ jobs }) => jobs.slice(0, 1));
    const byDemand = new Map(
      examinedJobs(heads).map((job) => [demandOrId(job), this.#placeOf(job)]),
    );
    for (const head of heads) {
      const found = byDemand.get(demandOrId(head));
      if (found) this.#waiting.set(head.replicaNum, found);
    }
  }

  /** Only if some end is known: without one, no start is. */
  #forecastOf(job: JobRecord): Forecast | null {
    const { snapshot, ctx } = this.world;
    const { guesses = [] } = this.#input;
    const isKnown = (snapshot.occupants?.length ?? 0) + guesses.length > 0;
    if (!isKnown || isRunFinished(this.pass.run.status)) return null;
    this.#forecasts ??= forecastQueue(snapshot, this.#answered, ctx, guesses);
    return this.#forecasts.find(({ gang }) => isGangOf(job)(gang)) ?? null;
  }

  #placeOf(job: JobRecord): Waiting | null {
    const { snapshot, ask, ctx } = this.world;
    const look = lookAtGang(snapshot, ask, ctx, isGangOf(job));
    const place = this.#input.places.find((one) => one.jobId === job.id) ?? null;
    return look && waitingOf(look, place, this.around, this.#forecastOf(job));
  }
}

const isUnplaced = ({ jobs }: Replica): boolean =>
  jobs.every((job) => isJobSubmitted(job.status) && job.instanceId === null);

const isStarved = ({ jobs }: Replica): boolean =>
  jobs.some((job) => isCapacityReason(job.terminationReason));

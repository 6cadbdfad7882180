/** Builds situations: a run, its surroundings, and the answers of backends. */
import type {
  FleetRecord,
  Gang,
  HostRecord,
  InstanceRecord,
  IntentRecord,
  JobRecord,
  JobReport,
  Offer,
  PlacementSnapshot,
  RequestCounts,
  RunRecord,
  RunSnapshot,
} from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import type { BackendAbility, BackendNote } from '../placement/backend-answers.ts';
import { aContext, aGang, answersOf, aRun, aSnapshot } from '../placement/testing.ts';
import type { Diagnosis } from './diagnosis.ts';
import { explainRun } from './explain-run.ts';
import type { BlockHolder, ExplainedRun, NamedRun, QueuePlace } from './input.ts';

/** When the records of `placement/testing.ts` were created, µs. */
export const NOW = 1_700_000_000_000_000;

const PROJECT_NAMES = { 'project-1': 'main', 'project-2': 'other' };

export interface Situation {
  /** Configuration of the run `train`. */
  readonly configuration?: object;
  readonly run?: Partial<RunRecord>;
  /** Changes to each job of the run's only replica. */
  readonly job?: Partial<JobRecord>;
  /** Any submissions, instead of that replica. */
  readonly jobs?: readonly JobRecord[];
  readonly dependencies?: RunSnapshot['dependencies'];
  /** The runs that it waits for, and those that they wait for. */
  readonly upstreams?: ExplainedRun['upstreams'];
  readonly fleets?: readonly FleetRecord[];
  readonly instances?: readonly InstanceRecord[];
  /** Other waiting gangs, in this project and in others, which `projects` must know. */
  readonly others?: readonly Gang[];
  readonly projects?: PlacementSnapshot['projects'];
  readonly place?: Partial<QueuePlace>;
  readonly holders?: readonly BlockHolder[];
  readonly offers?: readonly Offer[];
  readonly backends?: readonly BackendAbility[];
  readonly notes?: readonly BackendNote[];
  readonly localOff?: string;
  readonly hosts?: readonly HostRecord[];
  readonly reports?: readonly JobReport[];
  readonly intents?: readonly IntentRecord[];
  readonly probes?: RunSnapshot['probes'];
  /** Volumes of its project, and those that its jobs mount. */
  readonly volumes?: PlacementSnapshot['volumes'];
  readonly requests?: RequestCounts;
  readonly mounted?: RunSnapshot['volumes'];
  readonly logEnds?: RunSnapshot['logEnds'];
  readonly shares?: PlacementSnapshot['shares'];
  readonly quotas?: PlacementSnapshot['quotas'];
  readonly claims?: PlacementSnapshot['claims'];
  readonly occupants?: PlacementSnapshot['occupants'];
  /** The run is an array. */
  readonly array?: RunSnapshot['array'];
  readonly localMaxInstances?: number;
  readonly localInstances?: number;
  /** Seconds between `NOW` and the request. */
  readonly later?: number;
  /** Projects of the caller, by default the run's own; null = all. */
  readonly viewer?: readonly string[] | null;
}

/** A run that holds blocks of an instance. */
export function held(instance: InstanceRecord, run: string, projectId = 'project-1'): BlockHolder {
  return { instanceId: instance.id, blocks: instance.busyBlocks, run: aNamedRun(run, projectId) };
}

export function aNamedRun(name: string, projectId = 'project-1', priority = 0): NamedRun {
  return { id: `run-${name}`, name, projectId, priority, submittedAt: NOW };
}

export function explainedRun(situation: Situation): ExplainedRun {
  const run = aRun('train', situation.configuration, situation.run);
  const jobs = situation.jobs ?? aGang(run, 0, situation.job).jobs;
  const instances = situation.instances ?? [];
  const silent = (situation.backends ?? []).filter((one) => !one.createsInstances);
  const queue = aSnapshot({
    offersOnly: new Set(silent.map((one) => one.name)),
    fleets: situation.fleets ?? [],
    instances,
    gangs: situation.others ?? [],
    ...(situation.projects && { projects: situation.projects }),
    projectNames: PROJECT_NAMES,
    volumes: situation.volumes ?? [],
    ...(situation.shares && { shares: situation.shares }),
    ...(situation.quotas && { quotas: situation.quotas }),
    ...(situation.claims && { claims: situation.claims }),
    ...(situation.occupants && { occupants: situation.occupants }),
    ...(situation.localInstances === undefined ? {} : { localInstances: situation.localInstances }),
  });
  const claimed = new Set(jobs.map((job) => job.instanceId));
  const own = instances.filter((one) => claimed.has(one.id));
  const first = jobs[0];
  return {
    run: {
      ...{ run, projectName: PROJECT_NAMES['project-1'], jobs, instances: own, fleetUses: [] },
      dependencies: situation.dependencies ?? [],
      ...(situation.array && { array: situation.array }),
      hosts: situation.hosts ?? [],
      reports: situation.reports ?? [],
      logEnds: situation.logEnds ?? {},
      intents: situation.intents ?? [],
      probes: situation.probes ?? {},
      volumes: situation.mounted ?? [],
      ...{ overQuota: {}, gpuSamples: {}, requests: situation.requests ?? null, load: null },
      livenessFailures: {},
    },
    queue,
    places: first ? [{ jobId: first.id, ahead: 0, first: [], ...situation.place }] : [],
    holders: situation.holders ?? [],
    upstreams: situation.upstreams ?? [],
    projectNames: PROJECT_NAMES,
  };
}

/** The complete explanation, with all offers answered. */
export function diagnose(situation: Situation): Diagnosis {
  const input = explainedRun(situation);
  const offers = situation.offers ?? [];
  const names = [...new Set(offers.map((offer) => offer.backend))];
  const abilities = situation.backends ?? names.map((name) => ({ name, createsInstances: true }));
  const backends = { abilities, localOff: situation.localOff ?? null };
  const projects = situation.viewer === undefined ? ['project-1'] : situation.viewer;
  const ctx = {
    now: NOW + (situation.later ?? 1) * SECOND,
    settings: aContext({ localMaxInstances: situation.localMaxInstances ?? 4 }).settings,
    viewer: { projects: projects && new Set(projects) },
  };
  const answers = new Map<string, readonly Offer[]>();
  for (;;) {
    const notes = situation.notes ?? [];
    const { explanation, wanted } = explainRun(input, backends, { offers: answers, notes }, ctx);
    if (wanted.length === 0) return explanation;
    for (const [key, found] of answersOf(wanted, offers)) answers.set(key, found);
  }
}

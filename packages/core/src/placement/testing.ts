/** Builders for the tests of placement and plans: real specs, short ids. */
import { FleetSpec, RunSpec, refusalText } from '@dstack/contract/wire';
import { eventMessage } from '../events/event-message.ts';
import { buildJobSpecs } from '../job-spec/build.ts';
import type {
  BackendSilence,
  CapacityHints,
  Change,
  Decision,
  DecisionContext,
  FleetRecord,
  Gang,
  Id,
  InstanceRecord,
  JobRecord,
  LocalUse,
  Offer,
  PlacementSnapshot,
  PoolProject,
  RunRecord,
} from '../model/index.ts';
import { requirementsMatch } from '../offers/match.ts';
import { newSubmissions } from '../reconcile/run/new-submission.ts';
import { prepareRunSpec } from '../run-spec/prepare.ts';
import {
  anOffer,
  fleetRecord,
  instanceRecord,
  type OfferFields,
  provisioningDataFor,
  runRecord,
} from '../testing/records.ts';
import type { BackendOffers } from './backend-answers.ts';
import { wantsBackendOffers } from './look-ahead.ts';
import { place } from './pass.ts';

const PROJECT = 'project-1';
export const NOW = 1_700_000_000_000_000;

export { anOffer, type OfferFields };

/** The server host, smaller than the language's default lower bounds. */
export function localOffer(
  executor: 'docker' | 'process' = 'process',
  backendData: Offer['backend_data'] = {},
): Offer {
  const name = executor === 'docker' ? 'local' : 'local-process';
  const machine = {
    backend: 'local',
    region: 'local',
    name,
    price: 0,
    cpus: 1,
    memoryGb: 4,
  } as const;
  return { ...anOffer(machine), backend_data: backendData };
}

export function aFleet(name: string, configuration: object = { nodes: '0..' }): FleetRecord {
  const spec = FleetSpec.parse({
    configuration: { type: 'fleet', name, ...configuration },
    profile: { name: 'default' },
  });
  return fleetRecord({ id: `fleet-${name}`, name, spec, createdAt: NOW });
}

/** A fleet for any cloud, without bounds. */
export const CLOUD = aFleet('cloud');

export function anInstance(
  fleet: FleetRecord,
  num: number,
  offer: Offer = anOffer(),
  patch: Partial<InstanceRecord> = {},
): InstanceRecord {
  const name = `${fleet.name}-${num}`;
  const { backend, region, price } = offer;
  return instanceRecord({
    ...{ id: name, projectId: fleet.projectId, fleetId: fleet.id, instanceNum: num, name, offer },
    ...{ backend, region, price, provisioningData: provisioningDataFor(offer, `10.0.0.${num}`) },
    handle: { id: `i-${name}`, data: null },
    createdAt: NOW,
    ...patch,
  });
}

export function aSpec(name: string, configuration: object = {}): RunSpec {
  const dev = 'type' in configuration && configuration.type === 'dev-environment';
  const defaults = { type: 'task', image: 'busybox', ...(dev ? {} : { commands: ['true'] }) };
  const parsed = RunSpec.parse({ configuration: { ...defaults, ...configuration } });
  const prepared = prepareRunSpec(parsed, { userPublicKey: 'ssh-ed25519 A user' });
  if (!prepared.ok) throw new Error(prepared.message);
  return { ...prepared.spec, run_name: name };
}

export function aRun(
  name: string,
  configuration: object = {},
  patch: Partial<RunRecord> = {},
): RunRecord {
  const spec = aSpec(name, configuration);
  const priority = spec.configuration.priority ?? 0;
  return runRecord({ id: `run-${name}`, name, spec, priority, submittedAt: NOW, ...patch });
}

/** The only replica of a run made of this configuration. */
export const task = (name: string, configuration: object = {}): Gang =>
  aGang(aRun(name, configuration));

/** One replica of a run with its submissions, all waiting. */
export function aGang(run: RunRecord, replicaNum = 0, patch: Partial<JobRecord> = {}): Gang {
  const built = buildJobSpecs(run.spec, { runName: run.name, replicaNum, replicaGroup: '0' });
  if (!built.ok) throw new Error(built.message);
  const names = built.jobSpecs.map((spec) => `job-${spec.job_name}`);
  const newId = () => names.shift() ?? '';
  const jobs = newSubmissions(run, built.jobSpecs, { newId, now: NOW, replicaNum });
  return { run, jobs: jobs.map((job) => ({ ...job, version: 1, ...patch })) };
}

/** Facts about the default project's backends, beside a snapshot. */
type SnapshotPatch = Partial<PlacementSnapshot> &
  Partial<CapacityHints> &
  BackendSilence & {
    /** On the machine of the only server, if it is not as the instances say. */
    readonly localInstances?: number;
    readonly localBusy?: readonly LocalUse[];
  };

/** A snapshot of one project, which may use all fleets, unless `projects` is set. */
export function aSnapshot(patch: SnapshotPatch): PlacementSnapshot {
  const { offersOnly = new Set(), hasPolledBackends = false, unreachable, isUnanswered } = patch;
  const instances = patch.instances ?? [];
  const fleets = patch.fleets ?? [];
  const own: PoolProject = {
    fleets: new Set(fleets.map(({ id }) => id)),
    offersOnly,
    hasPolledBackends,
    ...(patch.hasServerHost && { hasServerHost: true }),
    ...(unreachable && { unreachable }),
    ...(isUnanswered && { isUnanswered }),
  };
  return {
    pool: { id: 'pool-1', version: 1 },
    gangs: patch.gangs ?? [],
    more: patch.more ?? new Set(),
    fleets,
    instances,
    volumes: patch.volumes ?? [],
    ...(patch.occupants && { occupants: patch.occupants }),
    projects: patch.projects ?? new Map([[PROJECT, own]]),
    projectNames: patch.projectNames ?? { [PROJECT]: 'main' },
    serverHosts: patch.serverHosts ?? serverHosts(patch),
    quotas: patch.quotas ?? [],
    ...(patch.claims && { claims: patch.claims }),
    ...(patch.shares && { shares: patch.shares }),
  };
}

/** The machine of a server that is alone, with these instances. */
function serverHosts({ instances = [], localInstances, localBusy }: SnapshotPatch) {
  const local = instances.filter((one) => one.backend === 'local');
  const busy = localBusy ?? local.filter((one) => one.busyBlocks > 0);
  const count = localInstances ?? local.length;
  return [{ hostId: 'local', instances: count, busy, state: 'as read', isAlive: false }];
}

/** Projects that may use all of these fleets; nothing is known of their backends. */
export function mayUse(
  projectIds: readonly Id[],
  fleets: readonly FleetRecord[],
  facts: Partial<PoolProject> = {},
): Map<Id, PoolProject> {
  const ids = new Set(fleets.map(({ id }) => id));
  const project = { offersOnly: new Set<never>(), hasPolledBackends: false, fleets: ids, ...facts };
  return new Map(projectIds.map((id) => [id, project]));
}

export function aContext(patch: Partial<DecisionContext['settings']> = {}): DecisionContext {
  let ids = 0;
  return {
    now: NOW + 1,
    newId: () => `new-${ids++}`,
    settings: {
      unreachableTolerance: null,
      maxOffersTried: 25,
      gatewayMoveSeconds: 1800,
      jobNetworkMode: 1,
      localMaxInstances: 4,
      ...patch,
    },
  };
}

/**
 * Every backend has just these, for every question; they are matched against requirements as
 * backends do it.
 */
export function answersOf(
  questions: ReturnType<typeof wantsBackendOffers>,
  offers: readonly Offer[],
): BackendOffers {
  return new Map(
    questions.map((question) => [
      question.key,
      offers.filter(
        (offer) =>
          (question.backends === null || question.backends.includes(offer.backend)) &&
          requirementsMatch(question.requirements, offer),
      ),
    ]),
  );
}

/** Requests the offers and places. */
export function placed(
  patch: SnapshotPatch,
  offers: readonly Offer[] = [],
  ctx: DecisionContext = aContext(),
): Decision {
  const snapshot = aSnapshot(patch);
  return place(snapshot, answersOf(wantsBackendOffers(snapshot, ctx.now), offers), ctx);
}

type Of<T extends Change['type']> = Extract<Change, { type: T }>;

export function changesOf<T extends Change['type']>(decision: Decision, type: T): Of<T>[] {
  return decision.changes.filter((change): change is Of<T> => change.type === type);
}

export function eventsOf(decision: Decision): string[] {
  return changesOf(decision, 'event').map((change) => eventMessage(change.event));
}

/** Why a job found no place in this decision, as text; null if nothing was written about that. */
export function refusedWith(decision: Decision, jobId: string): string | null {
  const refusal = jobChange(decision, jobId)?.refusal ?? null;
  return refusal && refusalText(refusal);
}

/** The changes of a job, as a patch. */
export function jobChange(decision: Decision, jobId: string): Partial<JobRecord> | undefined {
  return changesOf(decision, 'job.update').find((change) => change.id === jobId)?.set;
}

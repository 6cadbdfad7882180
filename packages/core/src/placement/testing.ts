/** Builders for the tests of placement and plans: real specs, short ids. */
import { FleetSpec, RunSpec, refusalText } from '@dstack/contract/wire';
import { buildJobSpecs } from '../job-spec/build.ts';
import type {
  BackendName,
  Change,
  Decision,
  DecisionContext,
  FleetRecord,
  Gang,
  InstanceRecord,
  JobRecord,
  Offer,
  PlacementSnapshot,
  ProvisioningData,
  RunRecord,
} from '../model/index.ts';
import { requirementsMatch } from '../offers/match.ts';
import { newSubmissions } from '../reconcile/new-submission.ts';
import { prepareRunSpec } from '../run-spec/prepare.ts';
import type { BackendOffers } from './backend-answers.ts';
import { wantsBackendOffers } from './look-ahead.ts';
import { place } from './place.ts';

const PROJECT = 'project-1';
const NOW = 1_700_000_000_000_000;

export interface Machine {
  readonly backend?: BackendName;
  readonly name?: string;
  readonly region?: string;
  readonly cpus?: number;
  readonly memoryGb?: number;
  readonly gpus?: number;
  readonly gpu?: string;
  readonly price?: number;
  readonly spot?: boolean;
  readonly availability?: Offer['availability'];
  readonly zones?: string[];
}

export function anOffer(machine: Machine = {}): Offer {
  const gpu = { name: machine.gpu ?? 'H100', memory_mib: 81920, vendor: 'nvidia' as const };
  return {
    backend: machine.backend ?? 'aws',
    region: machine.region ?? 'us-east-1',
    price: machine.price ?? 1,
    backend_data: {},
    availability: machine.availability ?? 'available',
    availability_zones: machine.zones ?? null,
    instance_runtime: 'shim',
    blocks: 1,
    total_blocks: 1,
    instance: {
      name: machine.name ?? 'vm',
      resources: {
        cpus: machine.cpus ?? 8,
        memory_mib: (machine.memoryGb ?? 32) * 1024,
        gpus: Array.from({ length: machine.gpus ?? 0 }, () => gpu),
        spot: machine.spot ?? false,
        disk: { size_mib: machine.backend === 'local' ? 0 : 102400 },
        cpu_arch: 'x86',
        description: '',
      },
    },
  };
}

/** The server's own machine, smaller than the language's default lower bounds. */
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
  return {
    id: `fleet-${name}`,
    projectId: PROJECT,
    name,
    spec: FleetSpec.parse({
      configuration: { type: 'fleet', name, ...configuration },
      profile: { name: 'default' },
    }),
    status: 'active',
    statusMessage: null,
    createdAt: NOW,
    consolidationAttempt: 0,
    lastConsolidatedAt: null,
    masterInstanceId: null,
    nextPassAt: null,
    deleted: false,
    version: 1,
  };
}

/** Of any clouds, with no bounds. */
export const CLOUD = aFleet('cloud');

export function anInstance(
  fleet: FleetRecord,
  num: number,
  offer: Offer = anOffer(),
  patch: Partial<InstanceRecord> = {},
): InstanceRecord {
  return {
    id: `${fleet.name}-${num}`,
    projectId: fleet.projectId,
    fleetId: fleet.id,
    instanceNum: num,
    name: `${fleet.name}-${num}`,
    backend: offer.backend,
    region: offer.region,
    price: offer.price,
    status: 'idle',
    unreachable: false,
    health: 'healthy',
    provisioningJobId: null,
    offer,
    provisioningData: aMachine(offer, `10.0.0.${num}`),
    totalBlocks: 1,
    busyBlocks: 0,
    requirements: null,
    profile: null,
    idleSeconds: 300,
    handle: { id: `i-${fleet.name}-${num}`, data: null },
    hostId: `${fleet.name}-${num}`,
    hostFacts: null,
    terminationReason: null,
    terminationMessage: null,
    createdAt: NOW,
    startedAt: NOW,
    finishedAt: null,
    deletedAt: null,
    lastJobFinishedAt: null,
    statusChangedAt: NOW,
    unreachableSince: null,
    nextPassAt: null,
    deleted: false,
    version: 1,
    ...patch,
  };
}

function aMachine(offer: Offer, hostname: string): ProvisioningData {
  return {
    backend: offer.backend,
    base_backend: null,
    instance_type: offer.instance,
    instance_id: 'i-1',
    hostname,
    internal_ip: hostname,
    public_ip_enabled: true,
    instance_network: null,
    region: offer.region,
    availability_zone: null,
    reservation: null,
    price: offer.price,
    username: 'root',
    ssh_port: 22,
    dockerized: true,
    ssh_proxy: null,
    backend_data: null,
    gpu_driver: null,
  };
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
  return {
    id: `run-${name}`,
    projectId: PROJECT,
    userId: 'user-1',
    name,
    spec,
    status: 'submitted',
    terminationReason: null,
    priority: spec.configuration.priority ?? 0,
    deploymentNum: 0,
    desiredReplicas: { '0': 1 },
    resubmissionAttempt: 0,
    fleetId: null,
    gatewayId: null,
    serviceSpec: null,
    submittedAt: NOW,
    lastProcessedAt: NOW,
    nextTriggeredAt: null,
    nextPassAt: null,
    deleted: false,
    version: 1,
    ...patch,
  };
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

export function aSnapshot(patch: Partial<PlacementSnapshot>): PlacementSnapshot {
  const instances = patch.instances ?? [];
  return {
    projectId: PROJECT,
    projectName: 'main',
    gangs: [],
    more: new Set(),
    rivals: [],
    hasSilentBackends: false,
    machineless: new Set(),
    fleets: [],
    instances,
    projectNames: { [PROJECT]: 'main' },
    localInstances: instances.filter((one) => one.backend === 'local').length,
    localBusy: instances.filter((one) => one.backend === 'local' && one.busyBlocks > 0),
    localState: 'as read',
    ...patch,
  };
}

export function aContext(patch: Partial<DecisionContext['settings']> = {}): DecisionContext {
  let ids = 0;
  return {
    now: NOW + 1,
    newId: () => `new-${ids++}`,
    settings: {
      unreachableTolerance: null,
      maxOffersTried: 25,
      jobNetworkMode: 1,
      localMaxInstances: 4,
      ...patch,
    },
  };
}

/** Every backend has just these, whoever asks; requirements are matched as backends do. */
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

/** Asks, answers and places. */
export function placed(
  patch: Partial<PlacementSnapshot>,
  offers: readonly Offer[] = [],
  ctx: DecisionContext = aContext(),
): Decision {
  const snapshot = aSnapshot(patch);
  return place(snapshot, answersOf(wantsBackendOffers(snapshot), offers), ctx);
}

type Of<T extends Change['type']> = Extract<Change, { type: T }>;

export function changesOf<T extends Change['type']>(decision: Decision, type: T): Of<T>[] {
  return decision.changes.filter((change): change is Of<T> => change.type === type);
}

export function eventsOf(decision: Decision): string[] {
  return changesOf(decision, 'event').map((change) => change.event.message);
}

/** Why a job found no place in this decision, in words; null if nothing was written about that. */
export function refusedWith(decision: Decision, jobId: string): string | null {
  const refusal = jobChange(decision, jobId)?.refusal ?? null;
  return refusal && refusalText(refusal);
}

/** What became of a job, as a patch. */
export function jobChange(decision: Decision, jobId: string): Partial<JobRecord> | undefined {
  return changesOf(decision, 'job.update').find((change) => change.id === jobId)?.set;
}

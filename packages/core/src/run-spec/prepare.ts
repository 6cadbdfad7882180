import { arraySize, memberName, placeholders, replacePlaceholders } from '@dstack/contract';
import type { Profile, RunSpec, ServiceConfiguration } from '@dstack/contract/wire';
import type { VolumeRecord } from '../model/volumes.ts';
import { mergedProfile } from '../profile/merge.ts';
import { isVolumeActive } from '../status/index.ts';
import { arrayOf, indexesOf } from './array-member.ts';
import { groupReferenceError } from './group-references.ts';
import { resourcesError, withResourceDefaults } from './resources.ts';
import { nameError, type PreparedRunSpec, type SpecError, specError } from './result.ts';
import { routerGroup } from './router-group.ts';
import { withLegalScaling } from './scaling.ts';
import { sizeError } from './size.ts';
import { nodesRequired } from './size-of.ts';

/** Server settings that determine which run specs are accepted; durations in seconds. */
export interface RunSpecSettings {
  /** `DSTACK_SERVER_MAX_JOBS_PER_RUN`. */
  readonly maxJobs: number;
  /** `DSTACK_SERVER_MAX_PROBES_PER_JOB`, `DSTACK_SERVER_MAX_PROBE_TIMEOUT`. */
  readonly maxProbes: number;
  readonly maxProbeTimeout: number;
  /** How long metrics of running jobs are kept. */
  readonly metricsTtl: number;
  /** `DSTACK_FORBID_DSTACK_IN_RUNS`, `DSTACK_FORBID_SERVICES_WITHOUT_GATEWAY`. */
  readonly forbidDstackInRuns: boolean;
  readonly forbidServicesWithoutGateway: boolean;
}

/** The defaults of dstack 0.22.5. */
export const DEFAULT_RUN_SPEC_SETTINGS: RunSpecSettings = {
  maxJobs: 500,
  maxProbes: 10,
  maxProbeTimeout: 300,
  metricsTtl: 3600,
  forbidDstackInRuns: false,
  forbidServicesWithoutGateway: false,
};

/** The fields that decide whether a volume can be mounted. */
export type VolumeCondition = Pick<VolumeRecord, 'status' | 'statusMessage' | 'toBeDeleted'>;

export interface RunSpecContext {
  /** Stored public key of the user, one line; null if there is none. */
  readonly userPublicKey: string | null;
  /** The project's volumes by name, without deleted ones; omitted = not checked. */
  readonly volumes?: ReadonlyMap<string, VolumeCondition>;
  /** Whether the project has a running default gateway; omitted = it has. */
  readonly hasDefaultGateway?: boolean;
  /** Clients before 0.19.27 rely on jobs starting in `/workflow`. */
  readonly legacyWorkingDir?: boolean;
  readonly settings?: RunSpecSettings;
}

/** Clients that use no repository send this pair. */
const VIRTUAL_REPO = { repo_id: 'none', repo_data: { repo_type: 'virtual' } } as const;

/**
 * The spec as it is planned, stored and compared: with defaults, and checked by all rules of the
 * server. The input is not changed.
 */
export function prepareRunSpec(spec: RunSpec, context: RunSpecContext): PreparedRunSpec {
  const settings = context.settings ?? DEFAULT_RUN_SPEC_SETTINGS;
  const profile = mergedProfile(spec);
  const error =
    (spec.run_name == null ? null : nameError(spec.run_name)) ??
    repoError(spec) ??
    dependencyError(spec, profile) ??
    arrayError(spec, profile) ??
    sizeError(spec, settings.maxJobs) ??
    profileError(profile, settings) ??
    configurationError(spec, profile, settings) ??
    gatewayError(spec, context, settings) ??
    volumesError(spec, context.volumes);
  if (error) return error;
  const sshKey = spec.ssh_key_pub ?? context.userPublicKey;
  if (!sshKey) {
    return specError('`ssh_key_pub` must be set: there is no public key stored for the user');
  }
  const effective = { ...withDefaults(spec, context), ssh_key_pub: sshKey };
  return resourcesError(effective.configuration) ?? { ok: true, spec: effective };
}

function withDefaults(spec: RunSpec, context: RunSpecContext): RunSpec {
  const repo = spec.repo_id == null ? VIRTUAL_REPO : {};
  const configuration = withResourceDefaults(spec.configuration);
  const workingDir = configuration.working_dir ?? (context.legacyWorkingDir ? '/workflow' : null);
  const base = {
    ...configuration,
    priority: configuration.priority ?? 0,
    working_dir: workingDir,
  };
  if (base.type === 'task' && !base.groups) base.nodes ??= 1;
  const legal = base.type === 'service' ? withLegalScaling(base) : base;
  return { ...spec, ...repo, configuration: legal };
}

function repoError(spec: RunSpec): SpecError | null {
  if (spec.repo_id == null && spec.repo_data != null) {
    return specError('repo_data must not be set if repo_id is not set');
  }
  if (spec.repo_id != null && spec.repo_data == null) {
    return specError('repo_data must be set if repo_id is set');
  }
  return null;
}

/** A cycle cannot be written, since the other runs exist already; a run may only not name itself. */
function dependencyError(spec: RunSpec, profile: Profile): SpecError | null {
  const names = (spec.configuration.depends_on ?? []).map(({ run }) => run);
  if (names.length === 0) return null;
  if (spec.run_name !== null && names.includes(spec.run_name)) {
    return specError(`depends_on: the run ${spec.run_name} cannot depend on itself`);
  }
  if (!profile.schedule) return null;
  return specError(
    'depends_on: a run with a schedule starts at its times and cannot wait for others',
  );
}

/** The other rules about arrays need no more than the configuration, which checks them itself. */
function arrayError(spec: RunSpec, profile: Profile): SpecError | null {
  const array = arrayOf(spec);
  if (array === null) return null;
  if (profile.schedule) {
    return specError('array: a run with a schedule starts at its times and cannot have members');
  }
  const last = indexesOf(array).at(-1) ?? 0;
  if (spec.run_name === null) return null;
  const error = nameError(memberName(spec.run_name, last));
  if (error === null) return null;
  return specError(
    `array: the name ${spec.run_name} is too long for ${arraySize(array)} members, which are called ${memberName(spec.run_name, last)} and so on. Shorten it`,
  );
}

function profileError(profile: Profile, settings: RunSpecSettings): SpecError | null {
  const { retry, utilization_policy: utilization } = profile;
  if (typeof retry === 'object' && retry !== null) {
    if ((retry.duration ?? 0) < 0) return specError('`retry.duration` must not be negative');
    if (retry.on_events?.length === 0) return specError('`retry.on_events` must not be empty');
  }
  if (utilization && utilization.time_window > settings.metricsTtl) {
    return specError(
      `\`utilization_policy.time_window\` must not exceed ${settings.metricsTtl} seconds, for ` +
        'which metrics are kept',
    );
  }
  return null;
}

function configurationError(
  spec: RunSpec,
  profile: Profile,
  settings: RunSpecSettings,
): SpecError | null {
  const { configuration } = spec;
  if (configuration.dstack && settings.forbidDstackInRuns) {
    return specError('`dstack: true` is not allowed on this server');
  }
  const error = envError(spec) ?? mountError(spec) ?? groupReferenceError(configuration);
  if (error || configuration.type !== 'service') return error;
  return serviceError(configuration, profile, settings);
}

function envError(spec: RunSpec): SpecError | null {
  for (const [name, value] of Object.entries(spec.configuration.env)) {
    if (typeof value !== 'string') {
      return specError(`env: the variable ${name} has no value. Give one, as in ${name}=value`);
    }
  }
  return null;
}

const MOUNT_TARGET = /^(\/[^/\0]*)+\/?$/;

function mountError(spec: RunSpec): SpecError | null {
  for (const { path } of spec.configuration.volumes) {
    if (!MOUNT_TARGET.test(path) || (path !== '/' && path.endsWith('/'))) {
      return specError(
        `volumes: '${path}' is no valid path in the container: it must be absolute, without a ` +
          'slash at the end',
      );
    }
  }
  return null;
}

function serviceError(
  service: ServiceConfiguration,
  profile: Profile,
  settings: RunSpecSettings,
): SpecError | null {
  if (profile.schedule && mayBeEmpty(service)) {
    return specError('Scheduled services with autoscaling to zero are not supported');
  }
  const router = routerError(service, profile);
  if (router) return router;
  const probes = service.probes ?? [];
  if (probes.length > settings.maxProbes) {
    return specError(`A service may have at most ${settings.maxProbes} probes`);
  }
  if (probes.some((probe) => (probe.timeout ?? 0) > settings.maxProbeTimeout)) {
    return specError(`\`probes[].timeout\` must not exceed ${settings.maxProbeTimeout} seconds`);
  }
  if ((service.liveness?.timeout ?? 0) > settings.maxProbeTimeout) {
    return specError(`\`liveness.timeout\` must not exceed ${settings.maxProbeTimeout} seconds`);
  }
  return null;
}

function routerError(service: ServiceConfiguration, profile: Profile): SpecError | null {
  return routerGroup(service)?.router?.type === 'dynamo' && profile.retry != null
    ? specError('`retry` is not supported with a Dynamo router')
    : null;
}

/** Two messages, because the fixes differ: change the service, or give the project a default. */
function gatewayError(
  { configuration }: RunSpec,
  { hasDefaultGateway = true }: RunSpecContext,
  { forbidServicesWithoutGateway }: RunSpecSettings,
): SpecError | null {
  if (configuration.type !== 'service' || !forbidServicesWithoutGateway) return null;
  const text = 'Services without a gateway are not allowed on this server';
  if (configuration.gateway === false) return specError(`${text}: \`gateway\` must not be false`);
  if (configuration.gateway !== null || hasDefaultGateway) return null;
  return specError(`${text}, and the project has no running default gateway: set \`gateway\``);
}

function mayBeEmpty(service: ServiceConfiguration): boolean {
  const ranges = service.groups?.map((group) => group.replicas) ?? [service.replicas];
  return ranges.every((range) => (range ? (range.min ?? 0) === 0 : false));
}

const NODE_RANK = /^dstack\.(job_num|node_rank)$/;

/** Every named volume must exist and be usable, for each node that mounts it. */
function volumesError(spec: RunSpec, known: RunSpecContext['volumes']): SpecError | null {
  const nodes = spec.configuration.type === 'task' ? nodesRequired(spec) : 1;
  for (let rank = 0; rank < nodes; rank++) {
    const twice = mountedTwice(spec, rank);
    if (twice !== null) return specError(`Volume ${twice} is mounted twice`);
  }
  for (const mount of spec.configuration.volumes) {
    if (!('name' in mount)) continue;
    for (const name of [mount.name].flat()) {
      const found = placeholders(name);
      const wrong = found.find(({ inner }) => !NODE_RANK.test(inner.trim()));
      if (wrong) return specError(`volumes: ${wrong.text} is not allowed in names of volumes`);
      // A name without a rank is the same for every node.
      const ranks = found.length > 0 ? nodes : 1;
      for (let rank = 0; known && rank < ranks; rank++) {
        const actual = volumeOfNode(name, rank);
        const error = volumeError(actual, known.get(actual));
        if (error) return error;
      }
    }
  }
  return null;
}

/** A job cannot mount one volume at two paths. */
function mountedTwice({ configuration: { volumes } }: RunSpec, rank: number): string | null {
  const seen = new Set<string>();
  for (const mount of volumes) {
    if (!('name' in mount)) continue;
    const names = new Set([mount.name].flat().map((name) => volumeOfNode(name, rank)));
    for (const name of names) {
      if (seen.has(name)) return name;
      seen.add(name);
    }
  }
  return null;
}

function volumeOfNode(name: string, rank: number): string {
  return replacePlaceholders(name, () => String(rank));
}

function volumeError(name: string, volume: VolumeCondition | undefined): SpecError | null {
  if (!volume) return specError(`Volume ${name} not found`, 'resource_not_exists');
  if (volume.toBeDeleted) return specError(`Volume ${name} is being deleted`);
  if (isVolumeActive(volume.status)) return null;
  const why = volume.statusMessage === null ? '' : `: ${volume.statusMessage}`;
  return specError(`Volume ${name} is ${volume.status} and cannot be mounted${why}`);
}

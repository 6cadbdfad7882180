import type { RunSpec } from '@dstack/contract/wire';
import { changedKeys, sameJson } from '../compare/same.ts';
import { withResourceDefaults } from './resources.ts';
import { routerGroup } from './router-group.ts';

export interface RunSpecDiff {
  /** `profile`, `configuration.env`, …; one level only. */
  readonly changed: readonly string[];
  /** An active run can take over the change without being stopped. */
  readonly updatable: boolean;
  /** The rule that forbids it, as a sentence; null if none does. */
  readonly reason: string | null;
}

const UPDATABLE_SPEC = ['configuration_path', 'configuration'];
const UPDATABLE_SERVICE_SPEC = ['repo_data', 'repo_code_hash', 'file_archives', 'working_dir'];

/** Applied without restarting running replicas. */
const IN_PLACE_SERVICE = [
  ...['replicas', 'groups', 'scaling', 'autoscaling', 'gateway', 'rollout'],
  // Only the server's proxy and its probes use these.
  ...['auth', 'https', 'model', 'probes', 'liveness', 'rate_limits', 'strip_prefix'],
  ...['held_requests', 'affinity', 'hosts', 'mirror'],
];

/** Applied by replacing replicas one after another. */
const ROLLING_SERVICE = [
  'port',
  'resources',
  'volumes',
  'docker',
  'files',
  'image',
  'user',
  'privileged',
  'entrypoint',
  'working_dir',
  'python',
  'nvcc',
  'single_branch',
  'env',
  'shell',
  'commands',
];

/**
 * The differences between the stored spec of a run and a new effective one, and whether an active
 * run can be updated in place (the wire contract's sets per type).
 */
export function diffRunSpecs(before: RunSpec, after: RunSpec): RunSpecDiff {
  const top = changedKeys(before, after);
  const nested = changedKeys(before.configuration, after.configuration);
  const changed = changedRunFields(before, after);
  const forbidden = forbiddenChange(before, after, top, nested);
  return { changed, updatable: forbidden === null, reason: forbidden };
}

/** `profile`, `configuration.env`, …; one level only. */
export function changedRunFields(before: RunSpec, after: RunSpec): string[] {
  const nested = changedKeys(before.configuration, after.configuration);
  return changedKeys(before, after).flatMap((key) =>
    key === 'configuration' ? nested.map((name) => `configuration.${name}`) : [key],
  );
}

function forbiddenChange(
  before: RunSpec,
  after: RunSpec,
  top: readonly string[],
  nested: readonly string[],
): string | null {
  const type = after.configuration.type;
  if (before.configuration.type !== type) return 'The type of a run cannot be changed';
  const spec = type === 'service' ? [...UPDATABLE_SPEC, ...UPDATABLE_SERVICE_SPEC] : UPDATABLE_SPEC;
  const wrongTop = top.filter((key) => !spec.includes(key));
  const wrongNested = nested.filter((key) => !mayChange(key, before, after));
  const wrong = [...wrongTop, ...wrongNested.map((key) => `configuration.${key}`)];
  if (wrong.length > 0) return `Cannot be changed in place: ${wrong.join(', ')}`;
  return routerChange(before, after, top, nested);
}

function mayChange(key: string, before: RunSpec, after: RunSpec): boolean {
  const [old, now] = [before.configuration, after.configuration];
  if (key === 'priority') return true;
  if (now.type === 'dev-environment' && key === 'inactivity_duration') return true;
  if (now.type === 'service' && old.type === 'service') {
    if (IN_PLACE_SERVICE.includes(key) || ROLLING_SERVICE.includes(key)) return true;
  }
  if (key === 'files') return sameJson(before.file_archives, after.file_archives);
  return key === 'resources' && onlyWidensArch(old.resources, now.resources);
}

type Resources = RunSpec['configuration']['resources'];

/** Older servers stored an architecture that no user had requested. */
function onlyWidensArch(before: Resources, after: Resources): boolean {
  const widened = { ...before, cpu: { ...before.cpu, arch: null } };
  return after.cpu.arch == null && sameJson(widened, after);
}

function routerChange(
  before: RunSpec,
  after: RunSpec,
  top: readonly string[],
  nested: readonly string[],
): string | null {
  if (before.configuration.type !== 'service' || after.configuration.type !== 'service')
    return null;
  const old = routerGroup(before.configuration);
  const now = routerGroup(after.configuration);
  if (old?.name !== now?.name) {
    return 'The router group of a service cannot be added, removed or renamed';
  }
  if (!old || !now) return null;
  if (old.router?.type !== now.router?.type) return 'The type of a router cannot be changed';
  if (now.router?.type !== 'dynamo') return null;
  const frozen =
    !sameJson(old, now) ||
    nested.some((key) => ROLLING_SERVICE.includes(key)) ||
    top.some((key) => UPDATABLE_SERVICE_SPEC.includes(key));
  return frozen ? 'A service with a Dynamo router must be stopped to change this' : null;
}

/**
 * Whether a client's copy of a stored spec is still the stored one. Clients omit nulls and fields
 * that they do not support, and defaults may be filled in on one side only.
 */
export function sameRunSpec(a: RunSpec, b: RunSpec): boolean {
  const areBothOurs = [a, b].every(({ configuration }) =>
    OUR_KEYS.some((key) => key in configuration),
  );
  const comparable = (spec: RunSpec) => normal(areBothOurs ? spec : withoutOurs(spec));
  return sameJson(comparable(a), comparable(b));
}

/**
 * For updates by clients of dstack 0.22.5, which drop the keys that they do not have: these stay as
 * they are stored.
 */
export function withStoredKeys(wanted: RunSpec, stored: RunSpec): RunSpec {
  const [to, from] = [wanted.configuration, stored.configuration];
  if (to.type !== from.type) return wanted;
  const kept = { ...storedKeys(from), ...to };
  if (to.type !== 'service' || from.type !== 'service') return { ...wanted, configuration: kept };
  const groups =
    to.groups?.map((group) => ({
      ...storedKeys(from.groups?.find(({ name }) => name === group.name) ?? {}),
      ...group,
    })) ?? null;
  return { ...wanted, configuration: { ...storedKeys(from), ...to, groups } };
}

/** Keys of runs, and of groups of services, that dstack 0.22.5 does not have. */
const OUR_KEYS = [
  ...['rollout', 'autoscaling', 'liveness', 'held_requests', 'affinity', 'hosts'],
  ...['mirror', 'protocol', 'depends_on', 'array', 'backend_settings'],
];

const storedKeys = (from: object): object =>
  Object.fromEntries(Object.entries(from).filter(([key]) => OUR_KEYS.includes(key)));

const withoutOurKeys = <T extends object>(from: T): T =>
  Object.fromEntries(Object.entries(from).filter(([key]) => !OUR_KEYS.includes(key))) as T;

/** Clients of dstack 0.22.5 drop the keys that they do not have. */
function withoutOurs(spec: RunSpec): RunSpec {
  const configuration = withoutOurKeys(spec.configuration);
  if (configuration.type !== 'service') return { ...spec, configuration };
  const groups = configuration.groups?.map(withoutOurKeys) ?? null;
  return { ...spec, configuration: { ...configuration, groups } };
}

function normal(spec: RunSpec): RunSpec {
  const configuration = withResourceDefaults(spec.configuration);
  return {
    ...spec,
    configuration: { ...configuration, priority: configuration.priority ?? 0 },
  };
}

/**
 * `update` for an unfinished run that can take over the new spec, else `create`, also if the run
 * would have to be stopped first: clients then ask the user.
 */
export function runPlanAction(
  current: { readonly finished: boolean; readonly spec: RunSpec } | null,
  effective: RunSpec,
): 'create' | 'update' {
  if (!current || current.finished) return 'create';
  return diffRunSpecs(current.spec, effective).updatable ? 'update' : 'create';
}

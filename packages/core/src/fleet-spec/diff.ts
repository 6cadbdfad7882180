import type { FleetSpec } from '@dstack/contract/wire';
import { changedKeys, sameJson } from '../compare/same.ts';
import { fleetHosts, hostAddress } from './prepare.ts';

export interface FleetSpecDiff {
  /** `profile`, `configuration.nodes`, …; one level only. */
  readonly changed: readonly string[];
  readonly updatable: boolean;
  /** The change that cannot be applied in place, as a sentence; null if there is none. */
  readonly reason: string | null;
  /** Addresses (`hostAddress`) of SSH hosts that come and go. */
  readonly addedHosts: readonly string[];
  readonly removedHosts: readonly string[];
}

/**
 * Cloud fleets apply these in place: instances that no longer match are replaced once they are
 * idle. `idle_duration`: see `withIdleDuration`; `blocks`: see `withDivision`.
 */
const UPDATABLE_CLOUD = [
  'preemption',
  'maintenance',
  'nodes',
  'reservation',
  'tags',
  'resources',
  'backends',
  'regions',
  'availability_zones',
  'instance_types',
  'spot_policy',
  'max_price',
  'idle_duration',
  'blocks',
];

/** `env`: jobs that start from then on have it. Volumes stay where they were created. */
const UPDATABLE_SSH = [
  'ssh_config',
  'shared_volumes_path',
  'preemption',
  'maintenance',
  'env',
  'blocks',
];

/**
 * The differences between a fleet's stored spec and a new one, and whether the fleet can be updated
 * in place.
 */
export function diffFleetSpecs(before: FleetSpec, after: FleetSpec): FleetSpecDiff {
  const [old, now] = [comparable(before), comparable(after)];
  const nested = changedKeys(old.configuration, now.configuration);
  const changed = changedKeys(old, now).flatMap((key) =>
    key === 'configuration' ? nested.map((name) => `configuration.${name}`) : [key],
  );
  const hosts = hostChanges(before, after);
  const reason = forbiddenChange(before, after, changed) ?? hosts.problem;
  const { added, removed } = hosts;
  return { changed, updatable: reason === null, reason, addedHosts: added, removedHosts: removed };
}

function forbiddenChange(
  before: FleetSpec,
  after: FleetSpec,
  changed: readonly string[],
): string | null {
  const ssh = after.configuration.ssh_config != null;
  if (ssh !== (before.configuration.ssh_config != null)) {
    return 'A fleet cannot change between cloud instances and SSH hosts';
  }
  const allowed = ssh ? UPDATABLE_SSH : UPDATABLE_CLOUD;
  const wrong = changed.filter(
    (key) => key !== 'configuration_path' && !allowed.some((it) => key === `configuration.${it}`),
  );
  return wrong.length > 0 ? `Cannot be changed in place: ${wrong.join(', ')}` : null;
}

interface HostChanges {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly problem: string | null;
}

/**
 * Hosts may be added and removed. The settings of a host that stays, or of all hosts, may not
 * change, except for prices and blocks.
 */
function hostChanges(before: FleetSpec, after: FleetSpec): HostChanges {
  const [old, now] = [before.configuration.ssh_config, after.configuration.ssh_config];
  if (!old || !now) return { added: [], removed: [], problem: null };
  const common = changedKeys(withoutPaths(old), withoutPaths(now)).filter(
    (key) => key !== 'hosts' && key !== 'price',
  );
  const definitions = (config: typeof old) =>
    new Map(
      fleetHosts(config).map((host, index) => [
        hostAddress(host),
        withoutChangeable(withoutPaths(config.hosts[index])),
      ]),
    );
  const [oldHosts, newHosts] = [definitions(old), definitions(now)];
  const added = [...newHosts.keys()].filter((address) => !oldHosts.has(address));
  const removed = [...oldHosts.keys()].filter((address) => !newHosts.has(address));
  const redefined = [...newHosts].filter(
    ([address, host]) => oldHosts.has(address) && !sameJson(oldHosts.get(address), host),
  );
  const wrong = [
    ...common.map((key) => `ssh_config.${key}`),
    ...redefined.map(([address]) => `host ${address}`),
  ];
  const problem = wrong.length > 0 ? `Cannot be changed in place: ${wrong.join(', ')}` : null;
  return { added, removed, problem };
}

function withoutChangeable(host: { readonly price?: unknown; readonly blocks?: unknown }): object {
  const { price: _price, blocks: _blocks, ...others } = host;
  return others;
}

/** Key files are on the client's machine, so their names mean nothing here. */
function withoutPaths(value: unknown): object {
  if (typeof value === 'string') return { hostname: value };
  const copy = { ...(value as Record<string, unknown>) };
  delete copy.identity_file;
  // A stored spec contains public keys only, which is enough to detect another key.
  if (copy.ssh_key) copy.ssh_key = (copy.ssh_key as { public: string }).public.trim();
  if (copy.proxy_jump) copy.proxy_jump = withoutPaths(copy.proxy_jump);
  if (Array.isArray(copy.hosts)) copy.hosts = copy.hosts.map(withoutPaths);
  return copy;
}

function comparable(spec: FleetSpec): FleetSpec {
  const { configuration } = spec;
  const nodes = configuration.nodes && {
    ...configuration.nodes,
    target: configuration.nodes.target ?? configuration.nodes.min,
  };
  const ssh = configuration.ssh_config && withoutPaths(configuration.ssh_config);
  return {
    ...spec,
    configuration: { ...configuration, nodes, ssh_config: ssh } as FleetSpec['configuration'],
  };
}

/**
 * Whether a client's copy of a stored spec is still the stored one. Answers never carry private
 * keys, so keys are not compared; neither are keys of ours, which clients of dstack 0.22.5 drop.
 */
export function sameFleetSpec(a: FleetSpec, b: FleetSpec): boolean {
  return sameJson(withoutKeys(comparable(a)), withoutKeys(comparable(b)));
}

const NOT_COMPARED = new Set([
  'ssh_key',
  'price',
  'shared_volumes_path',
  'preemption',
  'maintenance',
]);

function withoutKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutKeys);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !NOT_COMPARED.has(key))
      .map(([key, item]) => [key, withoutKeys(item)]),
  );
}

/**
 * `update` for an existing fleet that can be updated in place, else `create`: clients then replace
 * the fleet.
 */
export function fleetPlanAction(current: FleetSpec | null, effective: FleetSpec) {
  return current && diffFleetSpecs(current, effective).updatable ? 'update' : 'create';
}

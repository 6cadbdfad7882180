/** Adds and removes the hosts of SSH fleets through the API. */
import { randomBytes } from 'node:crypto';
import { ruleError } from '@dstack/contract/api';
import { isInstanceActive, isInstanceTerminated } from '@dstack/contract/status';
import type { FleetSpec } from '@dstack/contract/wire';
import {
  type Change,
  type Decision,
  divisionProblem,
  type EventActor,
  type FleetHost,
  type FleetRecord,
  type FleetSnapshot,
  fleetHosts,
  freeNumbers,
  hostAddress,
  type Id,
  type InstanceRecord,
  instanceTarget,
  recordEvent,
  repriced,
  sshHostInstance,
  type Timestamp,
  terminateByUser,
} from '@dstack/core';
import type { SshLogin } from '@dstack/store';
import type { HttpDeps } from '../ports.ts';
import { checkLeaving } from './held-volumes.ts';

export interface AddedHost {
  /** The id of its instance. */
  readonly id: Id;
  readonly host: FleetHost;
}

const SSH_PORT = 22;

/** Private keys are stored encrypted with each host; a spec contains the public ones. */
export function withoutPrivateKeys(spec: FleetSpec): FleetSpec {
  const ssh = spec.configuration.ssh_config;
  if (ssh === null) return spec;
  const hosts = ssh.hosts.map((host) =>
    typeof host === 'string'
      ? host
      : withoutPrivateKey({ ...host, proxy_jump: jump(host.proxy_jump) }),
  );
  const ssh_config = withoutPrivateKey({ ...ssh, hosts, proxy_jump: jump(ssh.proxy_jump) });
  return { ...spec, configuration: { ...spec.configuration, ssh_config } };
}

function withoutPrivateKey<T extends { ssh_key?: { public: string } | null | undefined }>(
  it: T,
): T {
  return it.ssh_key ? { ...it, ssh_key: { public: it.ssh_key.public, private: null } } : it;
}

function jump<J extends { ssh_key?: { public: string } | null | undefined } | null | undefined>(
  proxy: J,
): J {
  return proxy ? withoutPrivateKey(proxy) : proxy;
}

/**
 * Stores the logins of the requested hosts, by the ids of their future instances. Throws `OutOfFiles` if
 * the server cannot connect to more hosts.
 */
export async function addHosts(
  deps: HttpDeps,
  spec: FleetSpec,
  wanted: (address: string) => boolean,
): Promise<AddedHost[]> {
  const ssh = spec.configuration.ssh_config;
  if (ssh === null) return [];
  const { newId } = deps.context();
  const added = fleetHosts(ssh)
    .filter((host) => wanted(hostAddress(host)))
    .map((host) => ({ id: newId(), host }));
  if (added.length > 0) deps.files.admitWork();
  await deps.store.hostAccess.add(
    added.map(({ id, host }) => ({
      instanceId: id,
      access: {
        kind: 'ssh',
        login: loginOf(host),
        proxy: host.proxyJump && loginOf(host.proxyJump),
        internalIp: host.internalIp,
      },
      agentToken: randomBytes(32).toString('hex'),
    })),
  );
  return added;
}

/** The spec was validated, user and key included. */
function loginOf(host: Pick<FleetHost, 'hostname' | 'port' | 'user' | 'key'>): SshLogin {
  const { hostname, port, user, key } = host;
  return { hostname, port: port ?? SSH_PORT, user: user ?? '', privateKey: key?.private ?? '' };
}

/** The active instances by address. */
export async function fleetLogins(deps: HttpDeps, fleetId: Id): Promise<ReadonlyMap<string, Id>> {
  const view = await deps.store.fleets.byId(fleetId);
  const living = (view?.instances ?? []).filter(({ status }) => isInstanceActive(status));
  const records = await deps.store.hostAccess.byIds(living.map(({ id }) => id));
  return new Map(
    records.flatMap(({ access, instanceId }) =>
      access.kind === 'ssh' ? [[hostAddress(access.login), instanceId] as const] : [],
    ),
  );
}

/** Refuses blocks into which a machine of the fleet cannot be divided. */
export function checkDivision(instances: readonly InstanceRecord[], spec: FleetSpec): void {
  const problem = firstProblem(instances, spec);
  if (problem === null) return;
  throw ruleError(
    `${problem}: choose another number of \`blocks\`, or delete it from the fleet first`,
  );
}

function firstProblem(instances: readonly InstanceRecord[], spec: FleetSpec): string | null {
  for (const instance of instances) {
    const problem = divisionProblem(instance, spec);
    if (problem !== null) return problem;
  }
  return null;
}

/** Creates instances for added hosts; a failed instance of an earlier attempt is deleted. */
export function hostChanges(
  fleet: FleetRecord,
  instances: readonly InstanceRecord[],
  added: readonly AddedHost[],
  now: Timestamp,
  why: 'fleet submission' | 'fleet update',
): Change[] {
  if (added.length === 0) return [];
  const dead = instances.filter((one) => isInstanceTerminated(one.status) && !one.deleted);
  const numbers = freeNumbers(instances, added.length);
  return [
    ...dead.map(
      ({ id, version }): Change => ({
        type: 'instance.update',
        id,
        version,
        set: { deleted: true, deletedAt: now },
      }),
    ),
    ...added.flatMap(({ id, host }, index): Change[] => {
      const instance = sshHostInstance(fleet, host, { id, num: numbers[index] ?? index, now });
      const event = recordEvent({
        action: 'instance.created',
        data: { why, status: instance.status },
        targets: [instanceTarget(instance)],
      });
      return [
        { type: 'instance.insert', instance },
        { type: 'event', event },
      ];
    }),
  ];
}

/** Hosts that stay and whose price has been changed. */
export function newPrices(
  instances: readonly InstanceRecord[],
  spec: FleetSpec,
  present: ReadonlyMap<string, Id>,
  now: Timestamp,
): Change[] {
  const ssh = spec.configuration.ssh_config;
  if (ssh === null) return [];
  return fleetHosts(ssh).flatMap((host): Change[] => {
    const instance = instances.find(({ id }) => id === present.get(hostAddress(host)));
    if (!instance || instance.price === host.price) return [];
    return repriced(instance, host.price, now);
  });
}

/** Hosts that are no longer listed are removed, unless a job runs there. */
export function departures(
  snapshot: FleetSnapshot,
  spec: FleetSpec,
  present: ReadonlyMap<string, Id>,
  by: { readonly actor: EventActor; readonly now: Timestamp },
): Pick<Decision, 'changes' | 'signals'> {
  const { fleet, instances } = snapshot;
  const ssh = spec.configuration.ssh_config;
  const named = new Set(ssh === null ? present.keys() : fleetHosts(ssh).map(hostAddress));
  const leaving = [...present].flatMap(([address, id]) => {
    const instance = instances.find((one) => one.id === id);
    if (named.has(address) || !instance || !isInstanceActive(instance.status)) return [];
    if (instance.busyBlocks > 0) {
      throw ruleError(
        `Fleet ${fleet.name}: host ${address} cannot be removed while jobs run on it (${instance.name})`,
      );
    }
    return [instance];
  });
  checkLeaving(snapshot, leaving);
  return terminateByUser(leaving, by);
}

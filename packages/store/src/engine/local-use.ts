import type { HostFacts } from '@dstack/contract/agent';
import {
  type InstanceRecord,
  localHostOf,
  SERVER_HOST_BACKENDS,
  type ServerHostUse,
  UNUSED_SERVER_HOST,
} from '@dstack/core';
import { DATABASE_NOW } from '../base/database-clock.ts';
import { keyList, parseKeyList, type VersionedKey } from '../base/key-list.ts';
import { notDeleted } from '../base/query.ts';
import type { StoreContext, Tx } from '../context/context.ts';
import { hostTable, instanceTable } from '../schema/work-tables.ts';

interface LocalKeys {
  readonly count: number;
  /** Instances that hold jobs, or will hold some soon. */
  readonly busy: readonly VersionedKey[];
}

/** The machines of servers on which instances of any project are, or whose servers are alive. */
export async function serverHosts(
  tx: Tx,
  { records, postgres }: Pick<StoreContext, 'records' | 'postgres'>,
): Promise<ServerHostUse[]> {
  const used = await localKeys(tx);
  // A server that is alone stores no leases.
  const alive: AliveMachines = postgres ? await aliveMachines(tx) : new Map();
  const keys = [...used.values()].flatMap(({ busy }) => busy);
  const instances = await records.read(tx, instanceTable, keys);
  const byHost = Map.groupBy(instances, localHostOf);
  return [...new Set([...used.keys(), ...alive.keys()])].map((hostId) => ({
    ...machineOf(hostId, used),
    busy: (byHost.get(hostId) ?? []).map(useOf),
    isAlive: alive.has(hostId),
    facts: alive.get(hostId) ?? null,
  }));
}

/** The machine without the instances that hold jobs: for the limit alone. */
export async function serverHostUse(tx: Tx, hostId: string): Promise<ServerHostUse> {
  return { ...machineOf(hostId, await localKeys(tx)), busy: [], isAlive: false };
}

/** See `ServerHostUse.state`. */
export async function localStates(tx: Tx): Promise<(hostId: string) => string> {
  const used = await localKeys(tx);
  return (hostId) => machineOf(hostId, used).state;
}

function machineOf(hostId: string, used: ReadonlyMap<string, LocalKeys>) {
  const { count = 0, busy = [] } = used.get(hostId) ?? {};
  const keys = busy.map(({ id, version }) => `${id} ${version}`).sort();
  return {
    ...{ hostId, instances: count },
    state: count === 0 ? UNUSED_SERVER_HOST : [count, ...keys].join(),
  };
}

const useOf = ({ backend, offer, totalBlocks, busyBlocks }: InstanceRecord) => ({
  ...{ backend, offer, totalBlocks, busyBlocks },
});

/** By machine. */
async function localKeys(tx: Tx): Promise<ReadonlyMap<string, LocalKeys>> {
  const machines = new Map<string, { count: number; busy: VersionedKey[] }>();
  const rows = await localInstances(tx)
    .select((eb) => ['host_id', eb.fn.count<number>('id').as('count')])
    .select(keyList({ when: 'busy_blocks > 0' }).as('busy'))
    .groupBy('host_id')
    .execute();
  for (const { host_id, count, busy } of rows) {
    if (host_id === null) await addPlanned(tx, machines);
    else addTo(machines, host_id, Number(count), parseKeyList(busy));
  }
  return machines;
}

/** Instances that are not created yet: on the machine that their offer names. */
async function addPlanned(tx: Tx, machines: Parameters<typeof addTo>[0]): Promise<void> {
  const rows = await localInstances(tx)
    .select(['id', 'version', 'offer', 'busy_blocks'])
    .where('host_id', 'is', null)
    .execute();
  for (const { id, version, offer, busy_blocks } of rows) {
    const hostId = localHostOf({ offer: offer === null ? null : JSON.parse(String(offer)) });
    addTo(machines, hostId, 1, busy_blocks > 0 ? [{ id, version }] : []);
  }
}

function addTo(
  machines: Map<string, { count: number; busy: VersionedKey[] }>,
  hostId: string,
  count: number,
  busy: readonly VersionedKey[],
): void {
  const known = machines.get(hostId) ?? { count: 0, busy: [] };
  machines.set(hostId, { count: known.count + count, busy: [...known.busy, ...busy] });
}

const localInstances = (tx: Tx) =>
  tx
    .selectFrom('instances')
    .where('backend', 'in', SERVER_HOST_BACKENDS)
    .where(notDeleted('deleted'))
    .where('status', '!=', 'terminated');

type AliveMachines = ReadonlyMap<string, HostFacts | null>;

/** Those whose servers hold the lease on their host, with what is known of them. */
async function aliveMachines(tx: Tx): Promise<AliveMachines> {
  const rows = await tx
    .selectFrom('hosts')
    .select(['id', 'facts'])
    .where('id', 'like', 'local-%')
    .where('lease_expires_at', '>=', DATABASE_NOW)
    .execute();
  return new Map(rows.map(({ id, facts }) => [id, hostTable.decode({ facts }).facts]));
}

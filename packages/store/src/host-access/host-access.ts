import { ENDING_INSTANCE_STATUSES } from '@dstack/contract/status';
import type { Cipher } from '../base/cipher.ts';
import { forIds, insertInSlices, notDeleted } from '../base/query.ts';
import type { StoreContext, Tx } from '../context/context.ts';
import type { HostAccesses, HostAccessRecord, NewHostAccess } from './types.ts';

export function createHostAccess(context: StoreContext): HostAccesses {
  const { db, cipher } = context;

  const decode = (row: { access: string; host_keys: string }): HostAccessRecord => ({
    ...recordOf(JSON.parse(cipher.decrypt(row.access))),
    hostKeys: JSON.parse(row.host_keys),
  });

  async function byIds(ids: readonly string[]): Promise<HostAccessRecord[]> {
    const rows = await forIds(ids, (slice) =>
      db.selectFrom('host_access').selectAll().where('instance_id', 'in', slice).execute(),
    );
    return rows.map(decode);
  }

  return {
    byIds,
    byId: async (id) => (await byIds([id]))[0] ?? null,
    add: (hosts) => context.write(({ tx }) => addHostAccess(tx, cipher, hosts)),
    async linkableIds() {
      const rows = await db
        .selectFrom('host_access as h')
        .innerJoin('instances as i', 'i.id', 'h.instance_id')
        .select('h.instance_id')
        .where(notDeleted('i.deleted'))
        .where('i.status', 'not in', ENDING_INSTANCE_STATUSES)
        .where('i.handle', 'is not', null)
        .orderBy('h.instance_id')
        .execute();
      return rows.map((row) => row.instance_id);
    },
    pin: (instanceId, address, hostKey) =>
      context.write(async ({ tx }) => {
        const row = await tx
          .selectFrom('host_access')
          .select('host_keys')
          .where('instance_id', '=', instanceId)
          .executeTakeFirst();
        if (!row) return;
        const keys = { [address]: hostKey, ...JSON.parse(row.host_keys) };
        await tx
          .updateTable('host_access')
          .set({ host_keys: JSON.stringify(keys) })
          .where('instance_id', '=', instanceId)
          .execute();
      }),
    async delete(ids) {
      await forIds(ids, async (slice) => {
        await db.deleteFrom('host_access').where('instance_id', 'in', slice).execute();
        return [];
      });
    },
  };
}

/** Existing records stay as they are. */
export async function addHostAccess(
  tx: Tx,
  cipher: Cipher,
  hosts: readonly NewHostAccess[],
): Promise<void> {
  await insertInSlices(hosts, (slice) =>
    tx
      .insertInto('host_access')
      .values(
        slice.map((host) => ({
          instance_id: host.instanceId,
          access: cipher.encrypt(JSON.stringify(host)),
          host_keys: JSON.stringify(givenKeys(host)),
        })),
      )
      .onConflict((conflict) => conflict.column('instance_id').doNothing())
      .execute(),
  );
}

/** By the address, as keys are pinned. */
function givenKeys({ access }: NewHostAccess): HostAccessRecord['hostKeys'] {
  if (access.kind !== 'ssh' || !access.vm?.hostKey) return {};
  const { hostname, port } = access.login;
  return { [`${hostname}:${port}`]: access.vm.hostKey };
}

/** Reads a stored record; older versions, which supported only SSH hosts, stored the login without its kind. */
function recordOf(stored: NewHostAccess | StoredSshHost): NewHostAccess {
  if ('access' in stored) return stored;
  const { instanceId, agentToken, ...login } = stored;
  return { instanceId, agentToken, access: { kind: 'ssh', ...login } };
}

type StoredSshHost = Omit<NewHostAccess, 'access'> &
  Omit<Extract<NewHostAccess['access'], { kind: 'ssh' }>, 'kind'>;

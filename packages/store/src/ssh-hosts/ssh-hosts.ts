import { ENDING_INSTANCE_STATUSES } from '@dstack/contract/status';
import type { StoreContext } from '../context.ts';
import { forIds, insertInSlices, notDeleted } from '../query.ts';
import type { NewSshHost, SshHostRecord, SshHosts } from './types.ts';

export function createSshHosts(context: StoreContext): SshHosts {
  const { db, cipher } = context;

  const decode = (row: { access: string; host_keys: string }): SshHostRecord => ({
    ...(JSON.parse(cipher.decrypt(row.access)) as NewSshHost),
    hostKeys: JSON.parse(row.host_keys),
  });

  async function byIds(ids: readonly string[]): Promise<SshHostRecord[]> {
    const rows = await forIds(ids, (slice) =>
      db.selectFrom('ssh_hosts').selectAll().where('instance_id', 'in', slice).execute(),
    );
    return rows.map(decode);
  }

  return {
    byIds,
    byId: async (id) => (await byIds([id]))[0] ?? null,
    add: (hosts) =>
      context.write(async ({ tx }) => {
        await insertInSlices(hosts, (slice) =>
          tx
            .insertInto('ssh_hosts')
            .values(
              slice.map((host) => ({
                instance_id: host.instanceId,
                access: cipher.encrypt(JSON.stringify(host)),
                host_keys: '{}',
              })),
            )
            .execute(),
        );
      }),
    async deployedIds() {
      const rows = await db
        .selectFrom('ssh_hosts as h')
        .innerJoin('instances as i', 'i.id', 'h.instance_id')
        .select('h.instance_id')
        .where(notDeleted('i.deleted'))
        .where('i.status', 'not in', ENDING_INSTANCE_STATUSES)
        .where('i.provisioning_data', 'is not', null)
        .orderBy('h.instance_id')
        .execute();
      return rows.map((row) => row.instance_id);
    },
    pin: (instanceId, address, hostKey) =>
      context.write(async ({ tx }) => {
        const row = await tx
          .selectFrom('ssh_hosts')
          .select('host_keys')
          .where('instance_id', '=', instanceId)
          .executeTakeFirst();
        if (!row) return;
        const keys = { [address]: hostKey, ...JSON.parse(row.host_keys) };
        await tx
          .updateTable('ssh_hosts')
          .set({ host_keys: JSON.stringify(keys) })
          .where('instance_id', '=', instanceId)
          .execute();
      }),
    async delete(ids) {
      await forIds(ids, async (slice) => {
        await db.deleteFrom('ssh_hosts').where('instance_id', 'in', slice).execute();
        return [];
      });
    },
  };
}

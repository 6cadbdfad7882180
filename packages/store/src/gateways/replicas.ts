import { forIds, notDeleted } from '../base/query.ts';
import type { Updated } from '../base/writes.ts';
import { recordChange } from '../changes/record-change.ts';
import type { StoreContext } from '../context/context.ts';
import { registrationTable, replicaTable } from '../schema/resource-tables.ts';
import type { Gateways } from './types.ts';

type Replicas = Pick<
  Gateways,
  | 'replicas'
  | 'insertReplica'
  | 'updateReplica'
  | 'placedReplicas'
  | 'replicaById'
  | 'deleteEndedReplicas'
  | 'replicaPrivateKey'
  | 'registrations'
  | 'saveRegistration'
>;

export function createReplicas(context: StoreContext): Replicas {
  const { db, cipher } = context;
  return {
    async replicas(gatewayId) {
      const rows = await db
        .selectFrom('gateway_replicas')
        .selectAll()
        .where('gateway_id', '=', gatewayId)
        .orderBy('created_at')
        .orderBy('replica_num')
        .execute();
      return rows.map(replicaTable.decode);
    },
    async placedReplicas() {
      const rows = await db
        .selectFrom('gateway_replicas')
        .selectAll()
        .where('instance_id', 'is not', null)
        .where(notDeleted('deleted'))
        .orderBy('created_at')
        .execute();
      return rows.map(replicaTable.decode);
    },
    async deleteEndedReplicas(createdBefore) {
      const result = await db
        .deleteFrom('gateway_replicas')
        .where('created_at', '<', createdBefore)
        .where('status', '=', 'terminated')
        .where('created_at', '<', ({ selectFrom }) =>
          selectFrom('gateway_replicas as newer')
            .select((eb) => eb.fn.max('newer.created_at').as('at'))
            .whereRef('newer.gateway_id', '=', 'gateway_replicas.gateway_id'),
        )
        .executeTakeFirst();
      return Number(result.numDeletedRows);
    },
    async replicaById(id) {
      const row = await db
        .selectFrom('gateway_replicas')
        .selectAll()
        .where('id', '=', id)
        .executeTakeFirst();
      return row ? replicaTable.decode(row) : null;
    },
    insertReplica: (replica, extras) =>
      context.write(async ({ tx, add, changed }) => {
        add(extras);
        changed(recordChange('gateway', replica.gatewayId));
        const { sshPrivateKey, ...record } = replica;
        await tx
          .insertInto('gateway_replicas')
          .values({
            ...replicaTable.insert(record),
            ssh_private_key: cipher.encrypt(sshPrivateKey),
          })
          .execute();
      }),
    updateReplica: (id, version, set, extras) =>
      context.write<Updated>(async ({ tx, add, changed, abort }) => {
        add(extras);
        const row = await tx
          .updateTable('gateway_replicas')
          .set({ ...replicaTable.update(set), version: version + 1 })
          .where('id', '=', id)
          .where('version', '=', version)
          .returning('gateway_id')
          .executeTakeFirst();
        if (row === undefined) return abort('conflict');
        changed(recordChange('gateway', row.gateway_id));
        return 'updated';
      }),
    async replicaPrivateKey(id) {
      const row = await db
        .selectFrom('gateway_replicas')
        .select('ssh_private_key')
        .where('id', '=', id)
        .executeTakeFirst();
      return row ? cipher.decrypt(row.ssh_private_key) : null;
    },
    async registrations(gatewayReplicaIds) {
      const rows = await forIds(gatewayReplicaIds, (slice) =>
        db
          .selectFrom('service_registrations')
          .selectAll()
          .where('gateway_replica_id', 'in', slice)
          .execute(),
      );
      return rows.map(registrationTable.decode);
    },
    saveRegistration: (registration, extras) =>
      context.write(async ({ tx, add, changed }) => {
        add(extras);
        changed(recordChange('run', registration.runId));
        const row = registrationTable.insert(registration);
        const { runId: _run, jobId: _job, gatewayReplicaId: _replica, ...set } = registration;
        await tx
          .insertInto('service_registrations')
          .values({ ...row, subject_id: registration.jobId ?? registration.runId })
          .onConflict((conflict) =>
            conflict
              .columns(['subject_id', 'gateway_replica_id'])
              .doUpdateSet(registrationTable.update(set)),
          )
          .execute();
      }),
  };
}

import type { GatewayReport, Id } from '@dstack/core';
import { recordChange } from '../changes/record-change.ts';
import type { Db, StoreContext, Tx } from '../context.ts';
import { forIds } from '../query.ts';
import { gatewayReportTable } from '../schema/resource-tables.ts';
import type { Gateways } from './types.ts';

export async function gatewayReportsOf(
  db: Db | Tx,
  replicaIds: readonly Id[],
): Promise<GatewayReport[]> {
  const rows = await forIds(replicaIds, (slice) =>
    db.selectFrom('gateway_reports').selectAll().where('replica_id', 'in', slice).execute(),
  );
  return rows.map(gatewayReportTable.decode);
}

export function createReports(
  context: StoreContext,
): Pick<Gateways, 'saveReport' | 'certificates' | 'setCertificate'> {
  const { db, cipher } = context;
  return {
    async certificates(gatewayId) {
      const rows = await db
        .selectFrom('gateway_certificates')
        .selectAll()
        .where('gateway_id', '=', gatewayId)
        .orderBy('domain')
        .execute();
      return rows.map(({ domain, certificate, private_key }) => ({
        ...{ domain, certificate, key: cipher.decrypt(private_key) },
      }));
    },
    setCertificate: (gatewayId, domain, pem, extras) =>
      context.write(async ({ tx, add, changed }) => {
        add(extras);
        add({ signals: [{ kind: 'gateway', id: gatewayId }] });
        changed(recordChange('gateway', gatewayId));
        await tx
          .deleteFrom('gateway_certificates')
          .where('gateway_id', '=', gatewayId)
          .where('domain', '=', domain)
          .execute();
        if (pem === null) return;
        const { certificate, key } = pem;
        await tx
          .insertInto('gateway_certificates')
          .values({
            ...{ gateway_id: gatewayId, domain, certificate },
            private_key: cipher.encrypt(key),
          })
          .execute();
      }),
    saveReport: (report, gatewayId) =>
      context.write(async ({ tx, add, changed }) => {
        add({ signals: [{ kind: 'gateway', id: gatewayId }] });
        changed(recordChange('gateway', gatewayId));
        const { replicaId: _, ...set } = report;
        await tx
          .insertInto('gateway_reports')
          .values(gatewayReportTable.insert(report))
          .onConflict((conflict) =>
            conflict.column('replica_id').doUpdateSet(gatewayReportTable.update(set)),
          )
          .execute();
      }),
  };
}

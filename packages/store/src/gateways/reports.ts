import type { GatewayReport, Id } from '@dstack/core';
import { forIds, notDeleted } from '../base/query.ts';
import { recordChange } from '../changes/record-change.ts';
import type { Db, StoreContext, Tx } from '../context/context.ts';
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
): Pick<
  Gateways,
  | 'saveReport'
  | 'certificates'
  | 'setCertificate'
  | 'issuedCertificates'
  | 'saveIssuedCertificates'
  | 'acmeAccountKey'
  | 'unprovenDomain'
> {
  const { db, cipher } = context;
  const certificatesIn = async (
    table: 'gateway_certificates' | 'gateway_issued_certificates',
    gatewayId: Id,
  ) => {
    const rows = await db
      .selectFrom(table)
      .selectAll()
      .where('gateway_id', '=', gatewayId)
      .orderBy('domain')
      .execute();
    return rows.map(({ domain, certificate, private_key }) => ({
      ...{ domain, certificate, key: cipher.decrypt(private_key) },
    }));
  };
  const accountKey = async (gatewayId: Id, directory: string) => {
    const row = await db
      .selectFrom('gateway_acme_accounts')
      .select('private_key')
      .where('gateway_id', '=', gatewayId)
      .where('directory', '=', directory)
      .executeTakeFirst();
    return row ? cipher.decrypt(row.private_key) : null;
  };
  return {
    async unprovenDomain(gatewayId) {
      const row = await db
        .selectFrom('gateway_unproven_domains')
        .select('domain')
        .where('gateway_id', '=', gatewayId)
        .executeTakeFirst();
      return row?.domain ?? null;
    },
    async acmeAccountKey(gatewayId, directory, created) {
      const known = await accountKey(gatewayId, directory);
      if (known !== null) return known;
      const private_key = cipher.encrypt(created());
      await context.write(({ tx }) =>
        tx
          .insertInto('gateway_acme_accounts')
          .values({ gateway_id: gatewayId, directory, private_key })
          // Another server may have been first: its key counts.
          .onConflict((conflict) => conflict.columns(['gateway_id', 'directory']).doNothing())
          .execute(),
      );
      const stored = await accountKey(gatewayId, directory);
      if (stored === null) throw new Error(`The account of gateway ${gatewayId} was not stored`);
      return stored;
    },
    certificates: (gatewayId) => certificatesIn('gateway_certificates', gatewayId),
    issuedCertificates: (gatewayId) => certificatesIn('gateway_issued_certificates', gatewayId),
    saveIssuedCertificates: (gatewayId, certificates) =>
      context.write(async ({ tx, add }) => {
        add({ signals: [{ kind: 'gateway', id: gatewayId }] });
        for (const { domain, certificate, key } of certificates) {
          const set = { certificate, private_key: cipher.encrypt(key) };
          await tx
            .insertInto('gateway_issued_certificates')
            .values({ gateway_id: gatewayId, domain, ...set })
            .onConflict((conflict) => conflict.columns(['gateway_id', 'domain']).doUpdateSet(set))
            .execute();
        }
      }),
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
    saveReport: (report, gatewayId, eventsOf) =>
      context.write(async ({ tx, add, changed }) => {
        if (eventsOf && report.certificates.length > 0) {
          const replicas = await tx
            .selectFrom('gateway_replicas')
            .select('id')
            .where('gateway_id', '=', gatewayId)
            .where(notDeleted('deleted'))
            .execute();
          const before = await gatewayReportsOf(
            tx,
            replicas.map(({ id }) => id),
          );
          add({ events: eventsOf(before) });
        }
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

import type { Signal } from '@dstack/core';
import type { StoreContext } from '../context.ts';
import { notDeleted } from '../query.ts';
import { UNFINISHED_RUN } from '../schema/statuses.ts';
import type { Engine } from './types.ts';

const TABLES = {
  run: 'runs',
  instance: 'instances',
  fleet: 'fleets',
  volume: 'volumes',
  gateway: 'gateways',
} as const;

export function createTimers({ db }: StoreContext): Pick<Engine, 'due' | 'nextDue' | 'unfinished'> {
  return {
    async due(kind, until, limit) {
      const rows = await db
        .selectFrom(TABLES[kind])
        .select('id')
        .where('next_pass_at', '<=', until)
        .orderBy('next_pass_at')
        .limit(limit)
        .execute();
      return rows.map((row) => row.id);
    },
    async nextDue(kind) {
      const row = await db
        .selectFrom(TABLES[kind])
        .select((eb) => eb.fn.min('next_pass_at').as('next'))
        .where('next_pass_at', 'is not', null)
        .executeTakeFirst();
      return row?.next ?? null;
    },
    async unfinished() {
      const runs = await db
        .selectFrom('runs')
        .select(['id', 'project_id', 'status'])
        .where('status', 'in', UNFINISHED_RUN)
        .execute();
      const projects = new Set(
        runs.filter((run) => run.status !== 'terminating').map((run) => run.project_id),
      );
      const instances = await idsOf('instances');
      const fleets = await idsOf('fleets');
      const volumes = await idsOf('volumes');
      const gateways = await idsOf('gateways');
      const intents = await db
        .selectFrom('intents')
        .select('key')
        .where('state', '=', 'announced')
        .execute();
      return [
        ...intents.map((row): Signal => ({ kind: 'intent', id: row.key })),
        ...runs.map((row): Signal => ({ kind: 'run', id: row.id })),
        ...[...projects].map((id): Signal => ({ kind: 'placement', id })),
        ...instances.map((row): Signal => ({ kind: 'instance', id: row.id })),
        ...fleets.map((row): Signal => ({ kind: 'fleet', id: row.id })),
        ...volumes.map((row): Signal => ({ kind: 'volume', id: row.id })),
        ...gateways.map((row): Signal => ({ kind: 'gateway', id: row.id })),
      ];
    },
  };

  function idsOf(table: 'instances' | 'fleets' | 'volumes' | 'gateways') {
    return db.selectFrom(table).select('id').where(notDeleted('deleted')).execute();
  }
}

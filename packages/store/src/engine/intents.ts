import type { IntentRecord } from '@dstack/core';
import type { StoreContext } from '../context/context.ts';
import { intentTable } from '../schema/work-tables.ts';
import type { EngineStore } from './types.ts';

type Intents = Pick<EngineStore, 'announcedIntent' | 'intent' | 'finishIntent' | 'amendIntent'>;

export function createIntents(context: StoreContext): Intents {
  const { db } = context;

  async function intent(key: string): Promise<IntentRecord | null> {
    const row = await db
      .selectFrom('intents')
      .selectAll()
      .where('key', '=', key)
      .executeTakeFirst();
    return row ? intentTable.decode(row) : null;
  }

  return {
    intent,
    async announcedIntent(key) {
      const found = await intent(key);
      return found?.state === 'announced' ? found : null;
    },
    finishIntent: (key, state, result, error, signals) =>
      context.writeGrouped(async ({ tx, add }) => {
        const outcome = await tx
          .updateTable('intents')
          .set(intentTable.update({ state, result, error, updatedAt: context.now() }))
          .where('key', '=', key)
          .where('state', '=', 'announced')
          .executeTakeFirst();
        const finished = outcome.numUpdatedRows === 1n;
        if (finished) add({ signals: signals ?? [] });
        return finished;
      }),
    amendIntent: (key, payload) =>
      context.write(async ({ tx }) => {
        const outcome = await tx
          .updateTable('intents')
          .set(intentTable.update({ payload, updatedAt: context.now() }))
          .where('key', '=', key)
          .where('state', '=', 'announced')
          .executeTakeFirst();
        return outcome.numUpdatedRows === 1n;
      }),
  };
}

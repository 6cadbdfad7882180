import { sql } from 'kysely';
import type { StoreContext, Tx } from '../context/context.ts';
import { isNewDelivery } from '../gateways/deliveries.ts';
import type { ModelUsage, ModelUse } from './types.ts';

export function createModelUsage(context: StoreContext): ModelUsage {
  return {
    add: (uses, delivery = null) =>
      context.write(async ({ tx }) => {
        if (!(await isNewDelivery(tx, delivery))) return;
        // In one order, so that two servers do not wait for each other's rows.
        const rows = [...uses].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
        for (const use of rows) {
          await tx
            .insertInto('model_usage')
            .values({
              ...{ project_id: use.projectId, user_id: use.userId, model: use.model, day: use.day },
              ...{ requests: use.requests, aborted: use.aborted, estimated: use.estimated },
              prompt_tokens: use.promptTokens,
              completion_tokens: use.completionTokens,
            })
            .onConflict((conflict) =>
              conflict.columns(['project_id', 'user_id', 'model', 'day']).doUpdateSet({
                requests: sql`model_usage.requests + excluded.requests`,
                aborted: sql`model_usage.aborted + excluded.aborted`,
                estimated: sql`model_usage.estimated + excluded.estimated`,
                prompt_tokens: sql`model_usage.prompt_tokens + excluded.prompt_tokens`,
                completion_tokens: sql`model_usage.completion_tokens + excluded.completion_tokens`,
              }),
            )
            .execute();
        }
        await addToTokens(tx, rows);
      }),
    async list(projectId, from, to) {
      const rows = await context.db
        .selectFrom('model_usage as m')
        .innerJoin('users as u', 'u.id', 'm.user_id')
        .selectAll('m')
        .select('u.name as user_name')
        .where('m.project_id', '=', projectId)
        .where('m.day', '>=', from)
        .where('m.day', '<=', to)
        .orderBy('m.day')
        .orderBy('m.model')
        .orderBy('u.name')
        .execute();
      return rows.map((row) => ({
        ...{ model: row.model, day: row.day, userName: row.user_name },
        ...{ requests: Number(row.requests), aborted: Number(row.aborted) },
        estimated: Number(row.estimated),
        promptTokens: Number(row.prompt_tokens),
        completionTokens: Number(row.completion_tokens),
      }));
    },
  };
}

/** A token that has been deleted meanwhile has no budget any more. */
async function addToTokens(tx: Tx, uses: readonly ModelUse[]): Promise<void> {
  const ids = [...new Set(uses.flatMap(({ tokenId }) => tokenId ?? []))];
  if (ids.length === 0) return;
  const present = await tx
    .selectFrom('service_tokens')
    .select('id')
    .where('id', 'in', ids)
    .execute();
  const known = new Set(present.map(({ id }) => id));
  for (const use of uses) {
    if (use.tokenId === null || !known.has(use.tokenId)) continue;
    const { tokenId: token_id, day, requests } = use;
    const tokens = use.promptTokens + use.completionTokens;
    await tx
      .insertInto('service_token_usage')
      .values({ token_id, day, requests, tokens })
      .onConflict((conflict) =>
        conflict.columns(['token_id', 'day']).doUpdateSet({
          requests: sql`service_token_usage.requests + excluded.requests`,
          tokens: sql`service_token_usage.tokens + excluded.tokens`,
        }),
      )
      .execute();
  }
}

const keyOf = ({ projectId, userId, tokenId, model, day }: ModelUse) =>
  `${projectId}\n${userId}\n${tokenId}\n${model}\n${day}`;

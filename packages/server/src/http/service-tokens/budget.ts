/** The models, rate and budget that a service token may still use. */
import type { Timestamp } from '@dstack/core';
import type { ModelToken } from '@dstack/proxy';
import type { ServiceTokenRecord, Store } from '@dstack/store';

const DAY = 86_400_000_000;

/** The days (since the epoch, in UTC) of the present day's month, and of the next one. */
export function budgetPeriods(now: Timestamp) {
  const today = Math.floor(now / DAY);
  const date = new Date(now / 1000);
  const monthBegin = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1) * 1000;
  const monthEnd = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) * 1000;
  return { today, dayEnd: (today + 1) * DAY, monthFrom: Math.floor(monthBegin / DAY), monthEnd };
}

export async function modelToken(
  store: Pick<Store, 'meta'>,
  token: ServiceTokenRecord | null,
  now: Timestamp,
): Promise<ModelToken | null> {
  if (token === null) return null;
  const { id, name, models, limits } = token;
  const usedUp = await exhausted(store, token, now);
  const hasBudget = limits?.tokens_per_day != null || limits?.tokens_per_month != null;
  const requestsPerMinute = limits?.requests_per_minute ?? null;
  return { id, name, models, requestsPerMinute, hasBudget, usedUp };
}

async function exhausted(
  { meta }: Pick<Store, 'meta'>,
  { id, name, limits }: ServiceTokenRecord,
  now: Timestamp,
): Promise<ModelToken['usedUp']> {
  const { tokens_per_day: perDay = null, tokens_per_month: perMonth = null } = limits ?? {};
  if (perDay === null && perMonth === null) return null;
  const { today, dayEnd, monthFrom, monthEnd } = budgetPeriods(now);
  const used = (await meta.serviceTokens.usedTokens([id], { today, monthFrom }))[id];
  const budgets = [
    { limit: perMonth, used: used?.month ?? 0, end: monthEnd, period: 'month' },
    { limit: perDay, used: used?.day ?? 0, end: dayEnd, period: 'day' },
  ];
  const over = budgets.find((one) => one.limit !== null && one.used >= one.limit);
  if (!over) return null;
  const text = `The token ${name} has used its ${over.limit} tokens of this ${over.period} (${over.used}, in UTC)`;
  return { text, retryAfter: Math.max(1, Math.ceil((over.end - now) / 1_000_000)) };
}

/** Amounts of quotas as text. */
import type { Quota, QuotaUse } from './quota.ts';

/** `8 GPUs`, `4 H100 GPUs`, `64 CPUs`, `512 GB of memory`, `2 instances`, `$12.50 per hour`. */
export function resourceText(resource: string, amount: number): string {
  const text = amountText(resource, amount);
  const isOne = amount === 1;
  if (resource.startsWith('gpu:')) {
    return `${text} ${resource.slice('gpu:'.length)} ${isOne ? 'GPU' : 'GPUs'}`;
  }
  switch (resource) {
    case 'gpu':
      return `${text} ${isOne ? 'GPU' : 'GPUs'}`;
    case 'cpu':
      return `${text} ${isOne ? 'CPU' : 'CPUs'}`;
    case 'memory':
      return `${text} of memory`;
    case 'instances':
      return `${text} ${isOne ? 'instance' : 'instances'}`;
    case 'cost':
      return `${text} per hour`;
    case 'runs':
      return `${text} waiting ${isOne ? 'run' : 'runs'}`;
    default:
      return `${text} ${resource}`;
  }
}

/** The amount alone, with its unit where it is not a count. */
export function amountText(resource: string, amount: number): string {
  if (resource === 'cost') return `$${amount.toFixed(2)}`;
  const text = String(Math.round(amount * 1000) / 1000);
  return resource === 'memory' ? `${text} GB` : text;
}

/** A need of less than what is shown: some part of an instance, of which the size is known once it has a place. */
export const isUnknownPart = (resource: string, needed: number): boolean =>
  amountText(resource, needed) === amountText(resource, 0);

/**
 * The use of each resource that the quota names, also if no user has used any of a quota per user.
 * Empty: it has a weight alone.
 */
export function shownUses({ use, limit, guaranteed }: Quota): readonly QuotaUse[] {
  if (use.length > 0) return use;
  const limits = termAmounts(limit);
  const guarantees = termAmounts(guaranteed);
  const resources = [...new Set([...Object.keys(guarantees), ...Object.keys(limits)])];
  return resources.map((resource) => ({
    ...{ resource, user_name: null, used: 0 },
    guaranteed: guarantees[resource] ?? null,
    limit: limits[resource] ?? null,
  }));
}

function termAmounts(terms: Quota['limit'] | Quota['guaranteed']): Record<string, number> {
  const amounts: Record<string, number> = {};
  for (const [resource, amount] of Object.entries(terms ?? {})) {
    if (amount === null) continue;
    if (typeof amount === 'number') amounts[resource] = amount;
    else for (const [name, count] of Object.entries(amount)) amounts[`gpu:${name}`] = count;
  }
  return amounts;
}

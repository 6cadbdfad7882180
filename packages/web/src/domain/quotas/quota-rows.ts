import { amountText, resourceText, shownUses } from '@dstack/contract/quota-text';
import type { Quota, QuotaUse } from '@dstack/contract/wire';

/** One resource of a quota, of one user where the quota holds for each by himself. */
export interface QuotaRow {
  readonly key: string;
  readonly quota: Quota;
  /** `main`, `main, each user`, `main on lab/h100`. */
  readonly subject: string;
  readonly resource: string;
  /** The user whose use it is; null: of all together. */
  readonly user: string | null;
  readonly used: number;
  readonly guaranteed: number | null;
  readonly limit: number | null;
  /** The use beyond the guarantee; null: nothing of this resource is guaranteed. */
  readonly borrowed: number | null;
  readonly weight: number | null;
}

export function quotaRows(quotas: readonly Quota[]): readonly QuotaRow[] {
  return quotas.flatMap((quota) => {
    const uses = shownUses(quota);
    return (uses.length > 0 ? uses : [WEIGHT_ALONE]).map((use) => rowOf(quota, use));
  });
}

const WEIGHT_ALONE: QuotaUse = {
  ...{ resource: '', user_name: null, used: 0, guaranteed: null, limit: null },
};

function rowOf(quota: Quota, use: QuotaUse): QuotaRow {
  const { resource, user_name: user, used, guaranteed, limit } = use;
  return {
    key: `${quota.id} ${resource} ${user ?? ''}`,
    ...{ quota, subject: quotaSubject(quota), resource, user, used, guaranteed, limit },
    borrowed: guaranteed === null ? null : Math.max(0, rounded(used - guaranteed)),
    weight: quota.weight,
  };
}

/** Amounts are decimal fractions, whose differences are not exact. */
const rounded = (value: number) => Math.round(value * 1000) / 1000;

type Place = Pick<Quota, 'project_name' | 'fleet_name' | 'user_name'>;

export function quotaSubject({ project_name, fleet_name, user_name }: Place): string {
  const fleet = fleet_name === null ? '' : ` on ${fleet_name}`;
  if (user_name === null) return `${project_name}${fleet}`;
  return `${project_name}${fleet}, ${user_name === '*' ? 'each user' : user_name}`;
}

const NAMES: Readonly<Record<string, string>> = {
  '': 'Weight alone',
  gpu: 'GPUs',
  cpu: 'CPUs',
  memory: 'Memory',
  instances: 'Instances',
  cost: 'Cost per hour',
  runs: 'Waiting runs',
};

/** `GPUs`, `H100 GPUs`, `Memory`. */
export function resourceName(resource: string): string {
  return resource.startsWith('gpu:') ? `${resource.slice(4)} GPUs` : (NAMES[resource] ?? resource);
}

export const amountOf = ({ resource }: QuotaRow, amount: number | null): string =>
  amount === null ? '–' : amountText(resource, amount);

/** The bar in words: `6 of 8 GPUs used, 4 guaranteed, 2 borrowed`. */
export function usageText({ resource, used, limit, guaranteed, borrowed }: QuotaRow): string {
  if (resource === '') return 'Nothing is limited or guaranteed';
  const text =
    limit === null
      ? `${resourceText(resource, used)} used`
      : `${amountText(resource, used)} of ${resourceText(resource, limit)} used`;
  const parts = [
    text,
    guaranteed === null ? '' : `${amountText(resource, guaranteed)} guaranteed`,
    borrowed === null || borrowed === 0 ? '' : `${amountText(resource, borrowed)} borrowed`,
  ];
  return parts.filter(Boolean).join(', ');
}

/** Places on the bar, from 0 to 1; null: not drawn. */
export interface QuotaBar {
  /** Used within the guarantee, or all where nothing is guaranteed. */
  readonly own: number;
  readonly borrowed: number;
  readonly guaranteed: number | null;
  readonly limit: number | null;
  readonly isOver: boolean;
}

export function quotaBar({ used, limit, guaranteed }: QuotaRow): QuotaBar {
  const whole = Math.max(limit ?? 0, guaranteed ?? 0, used) || 1;
  const own = Math.min(used, guaranteed ?? used);
  return {
    own: own / whole,
    borrowed: (used - own) / whole,
    guaranteed: guaranteed === null ? null : guaranteed / whole,
    limit: limit === null ? null : limit / whole,
    isOver: limit !== null && used > limit,
  };
}

/** Arithmetic on the amounts of quotas. */
import type { QuotaGpus, QuotaGuarantee } from '@dstack/contract/wire';
import type { Amounts } from '../model/index.ts';

/** Units of the stored whole numbers for one unit of a configuration; `memory` is written in GB. */
const UNITS: Readonly<Record<string, number>> = {
  cpu: 1000,
  memory: 1024,
  instances: 1_000_000,
  cost: 1_000_000,
};

/** The stored amount as people write it: GPUs, CPUs, GB, instances, dollars per hour. */
export function inUnits(resource: string, amount: number): number {
  return amount / (UNITS[resource] ?? 1);
}

/** The amounts that a quota names, in stored units; resources that it does not name are absent. */
export function termsAmounts(terms: QuotaGuarantee | null): Amounts {
  if (terms === null) return {};
  const amounts: Record<string, number> = gpuAmounts(terms.gpu);
  for (const resource of ['cpu', 'memory', 'instances', 'cost'] as const) {
    const named = terms[resource];
    if (named !== null) amounts[resource] = stored(resource, named);
  }
  return amounts;
}

function stored(resource: string, amount: number): number {
  return Math.min(Math.round(amount * (UNITS[resource] ?? 1)), Number.MAX_SAFE_INTEGER);
}

function gpuAmounts(gpus: QuotaGpus | null): Record<string, number> {
  if (gpus === null) return {};
  if (typeof gpus === 'number') return { gpu: gpus };
  return Object.fromEntries(
    Object.entries(gpus).map(([name, count]) => [gpuResource(name), count]),
  );
}

export function gpuResource(name: string): string {
  return `gpu:${name.toLowerCase()}`;
}

export function plus(a: Amounts, b: Amounts): Amounts {
  const sum: Record<string, number> = { ...a };
  for (const [resource, amount] of Object.entries(b)) {
    sum[resource] = (sum[resource] ?? 0) + amount;
  }
  return sum;
}

export function times(amounts: Amounts, factor: number): Amounts {
  return Object.fromEntries(
    Object.entries(amounts).map(([resource, amount]) => [resource, amount * factor]),
  );
}

export function minus(a: Amounts, b: Amounts): Amounts {
  return plus(a, times(b, -1));
}

/** The greater of two amounts of each resource. */
export function greatest(all: readonly Amounts[]): Amounts {
  const most: Record<string, number> = {};
  for (const amounts of all) {
    for (const [resource, amount] of Object.entries(amounts)) {
      most[resource] = Math.max(most[resource] ?? 0, amount);
    }
  }
  return most;
}

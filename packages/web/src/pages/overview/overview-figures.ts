import { costText } from '@dstack/contract/cost-text';
import type { Overview } from '@dstack/contract/wire';
import { count, money } from '../../domain/format/quantities.ts';

export interface OverviewFigures {
  readonly active: number;
  readonly activeNote: string;
  readonly gpus: string;
  readonly gpusNote: string;
  readonly instances: string;
  readonly instancesNote: string;
  readonly price: string;
  readonly priceNote: string;
}

/** The order in which statuses are named. */
const ORDER = ['running', 'provisioning', 'submitted', 'pending', 'terminating'];

/** The texts of the tiles. */
export function overviewFigures({ runs, gpus, instances }: Overview): OverviewFigures {
  const active = runs.reduce((sum, { count: runs }) => sum + runs, 0);
  const total = sum(gpus, 'total');
  const unreachable = sum(gpus, 'unreachable');
  const inUse = sum(gpus, 'in_use');
  return {
    active,
    activeNote: activeNote(runs),
    gpus: total === 0 ? '0' : `${count(inUse)} of ${count(total)}`,
    gpusNote: total === 0 ? 'no GPUs' : freeNote(total - inUse - unreachable, unreachable),
    instances: `${count(instances.in_use)} of ${count(instances.total)}`,
    instancesNote: freeNote(
      Math.max(0, instances.total - instances.in_use - instances.unreachable),
      instances.unreachable,
    ),
    price: costText(instances.price, instances.unpriced > 0, (dollars) => `${money(dollars)}/h`),
    priceNote: priceNote(instances),
  };
}

function priceNote({ price, unpriced }: Overview['instances']): string {
  const without = `${count(unpriced)} without a known price`;
  const isUnknown = price === 0 && unpriced > 0;
  const parts = [isUnknown ? '' : `${money(price * 24)} a day`, unpriced > 0 ? without : ''];
  return parts.filter(Boolean).join(', ');
}

function activeNote(runs: Overview['runs']): string {
  const known = [...runs].sort((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status));
  return known.map(({ status, count: runs }) => `${count(runs)} ${status}`).join(', ') || 'none';
}

function freeNote(idle: number, unreachable: number): string {
  return [`${count(idle)} idle`, unreachable > 0 ? `${count(unreachable)} unreachable` : '']
    .filter(Boolean)
    .join(', ');
}

function sum(gpus: Overview['gpus'], key: 'total' | 'in_use' | 'unreachable'): number {
  return gpus.reduce((all, gpu) => all + gpu[key], 0);
}

import type { Overview } from '@dstack/contract/wire';
import { count } from '../../domain/format/quantities.ts';

export interface OverviewFigures {
  readonly active: number;
  readonly activeNote: string;
  readonly gpus: string;
  readonly gpusNote: string;
  readonly instances: string;
  readonly instancesNote: string;
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
  };
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

import { isInstanceActive, isInstanceBusy } from '@dstack/contract/status';
import type { Fleet, Instance } from '@dstack/contract/wire';
import { type BoardBar, maintenanceBar } from '../../domain/capacity/board-bars.ts';

export interface BoardRowData {
  readonly instance: Instance;
  /** The window of maintenance of its fleet; null = it has none. */
  readonly maintenance: BoardBar | null;
  /** The jobs that wait for the instance, in the order of the queue. */
  readonly queued: readonly BoardBar[];
  /** Where the configuration that is tried would go. */
  readonly tried: readonly BoardBar[];
}

type Bars = ReadonlyMap<string, readonly BoardBar[]>;

const NONE: readonly BoardBar[] = [];

/** The instances of the fleets that have not ended, fleet by fleet; first those where the tried configuration would go. */
export function boardRows(
  fleets: readonly Fleet[],
  queued: Bars,
  tried: Bars,
): readonly BoardRowData[] {
  const rows = fleets
    .toSorted((a, b) => byName(a.name, b.name) || byName(a.project_name, b.project_name))
    .flatMap((fleet) =>
      fleet.instances
        .filter(({ status }) => isInstanceActive(status))
        .toSorted((a, b) => a.instance_num - b.instance_num)
        .map((instance) => ({
          instance,
          maintenance: maintenanceBar(fleet, instance.total_blocks),
          queued: queued.get(instance.id) ?? NONE,
          tried: tried.get(instance.id) ?? NONE,
        })),
    );
  const isTried = (row: BoardRowData) => row.tried.length > 0;
  return [...rows.filter(isTried), ...rows.filter((row) => !isTried(row))];
}

const byName = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Only these have jobs to ask for. */
export const hasJobs = ({ status, busy_blocks }: Instance): boolean =>
  isInstanceBusy(status) || busy_blocks > 0;

import type { FleetRecord } from '../../model/index.ts';
import type { GangRequest } from '../gang-request.ts';
import type { CapacityLedger } from './capacity-ledger.ts';

/** The fleet's name in the run's project; an imported fleet has its own project before it. */
export function fleetName(
  ledger: CapacityLedger,
  fleet: FleetRecord,
  request: Pick<GangRequest, 'run'>,
): string {
  if (fleet.projectId === request.run.projectId) return fleet.name;
  return `${ledger.snapshot.projectNames[fleet.projectId] ?? '?'}/${fleet.name}`;
}

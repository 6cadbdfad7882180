import { CapacityLedger, PLANNED } from '../placement/place/capacity-ledger.ts';
import type { PlanInput } from './input.ts';

/** Capacity that the run could be placed on. */
export function ledgerOf(input: PlanInput): CapacityLedger {
  const projectNames = { ...input.projectNames, [input.projectId]: input.projectName };
  const { projectId, fleets, offersOnly, hasServerHost = false } = input;
  const own = {
    ...{ offersOnly, hasServerHost, hasPolledBackends: false },
    fleets: new Set(fleets.map(({ id }) => id)),
  };
  const projects = new Map([[projectId, own]]);
  const moment = { ...PLANNED, at: input.now };
  return new CapacityLedger({ ...input, projectNames, projects }, input.settings, moment);
}

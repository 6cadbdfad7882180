/** Whether and when jobs of a fleet may have to leave: the settings of the server, and what the fleet sets itself. */
import type { FleetRecord, PreemptionSettings } from '../../model/index.ts';

export const DEFAULT_PREEMPTION: PreemptionSettings = {
  mode: 'reclaim',
  minRuntime: 300,
  grace: 60,
};

/** `fleet` undefined: it is not known to this pass, so that only the settings of the server are. */
export function preemptionOn(
  fleet: Pick<FleetRecord, 'spec'> | undefined,
  server: PreemptionSettings = DEFAULT_PREEMPTION,
): PreemptionSettings {
  const own = fleet?.spec.configuration.preemption;
  if (!own) return server;
  return {
    mode: own.mode ?? server.mode,
    minRuntime: own.min_runtime ?? server.minRuntime,
    grace: own.grace ?? server.grace,
  };
}

/** Whether jobs may have to leave for a higher priority on any of these fleets. */
export function hasPriorityPreemption(
  fleets: readonly Pick<FleetRecord, 'spec'>[],
  server?: PreemptionSettings,
): boolean {
  return fleets.some((fleet) => preemptionOn(fleet, server).mode === 'priority');
}

import type { EngineSettings } from '@dstack/core';
import type { Random } from '@dstack/testkit/random';
import type { WorldParts } from './sim-backends.ts';

export const ENGINE_SETTINGS: EngineSettings = {
  unreachableTolerance: null,
  maxOffersTried: 25,
  gatewayMoveSeconds: 1800,
  jobNetworkMode: 1,
  localMaxInstances: 3,
};

/** Those of all servers of one story, which differ in who has to leave, and how soon. */
export function settingsOfStory(random: Random): EngineSettings {
  return {
    ...ENGINE_SETTINGS,
    preemption: {
      mode: random.weighted({ off: 1, reclaim: 4, priority: 3 }),
      minRuntime: random.pick([0, 60, 300]) ?? 0,
      grace: random.pick([10, 60]) ?? 0,
    },
  };
}

/** How often the world fails. `neverReady`: the share of machines and volumes that never get ready. */
export function faultsOfStory(
  neverReady = 0.05,
): Pick<WorldParts, 'hostFaults' | 'cloudFaults' | 'databaseFaults'> {
  return {
    hostFaults: { lostAnswer: 0.05, refusal: 0.02, crash: 0.1 },
    cloudFaults: {
      ...{ noCapacity: 0.2, quota: 6, error: 0.1, rateLimit: 0.02, lostResponse: 0.05 },
      ...{ slowSeconds: 8, bootSeconds: [1, 60], neverReady, failsToBoot: 0.03 },
      ...{ eventualSeconds: 2, slowRelease: 0.5, hold: null },
      ...{ attachSeconds: [0, 20], stuckDetach: 0.2 },
    },
    databaseFaults: { lostCall: 0.002, lostAnswer: 0.002 },
  };
}

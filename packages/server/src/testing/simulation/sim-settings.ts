import type { EngineSettings } from '@dstack/core';
import type { Random } from '@dstack/testkit/random';

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

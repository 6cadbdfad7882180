import type { Backend } from '@dstack/backends';
import { type CapacityHints, isServerHost } from '@dstack/core';

/** The facts about these backends, beside their offers, that placement needs. */
export function capacityHints(
  backends: readonly Pick<Backend, 'name' | 'instances' | 'signalsCapacity'>[],
): CapacityHints {
  const makers = backends.filter((backend) => backend.instances !== null);
  const others = backends.filter((backend) => backend.instances === null);
  return {
    hasPolledBackends: makers.some((backend) => !backend.signalsCapacity),
    offersOnly: new Set(others.map((backend) => backend.name)),
    hasServerHost: backends.some((backend) => isServerHost(backend.name)),
  };
}

import type { FleetRecord } from '@dstack/core';

/** The environment of jobs on a fleet's hosts. Applying the fleet has refused entries without a value. */
export function fleetEnvironment({ spec }: Pick<FleetRecord, 'spec'>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(spec.configuration.env).flatMap(([name, value]) =>
      typeof value === 'string' ? [[name, value] as const] : [],
    ),
  );
}

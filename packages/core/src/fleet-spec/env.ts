import type { FleetSpec } from '@dstack/contract/wire';

/**
 * The environment of a fleet's hosts and their jobs. Variables that still lack a value were refused when the fleet
 * was applied.
 */
export function fleetEnv({ configuration }: FleetSpec): Record<string, string> {
  const entries = Object.entries(configuration.env ?? {});
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

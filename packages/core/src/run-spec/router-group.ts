import type { RunSpec } from '@dstack/contract/wire';

type Configuration = RunSpec['configuration'];
type Group = NonNullable<Extract<Configuration, { type: 'service' }>['groups']>[number];

/** The group that receives all requests of a service; null = every replica receives its share. */
export function routerGroup(configuration: Configuration): Group | null {
  if (configuration.type !== 'service') return null;
  return configuration.groups?.find((group) => group.router != null) ?? null;
}

import type { FleetSpec, Requirements } from '@dstack/contract/wire';
import { mergedFleetProfile } from '../profile/merge.ts';

/** A fleet without `resources` accepts any machine. */
export const UNCONSTRAINED: Requirements['resources'] = {
  cpu: { arch: null, count: { min: 1, max: null } },
  memory: { min: 0, max: null },
  shm_size: null,
  gpu: {
    vendor: null,
    name: null,
    count: { min: 0, max: null },
    memory: null,
    total_memory: null,
    compute_capability: null,
  },
  disk: null,
};

/** The requirements that the instances of a fleet must satisfy. */
export function fleetRequirements(spec: FleetSpec): Requirements {
  const profile = mergedFleetProfile(spec);
  const { resources, placement, reservation } = spec.configuration;
  return {
    resources: resources ?? UNCONSTRAINED,
    max_price: profile.max_price ?? null,
    spot: spotOf(profile.spot_policy),
    reservation: reservation ?? null,
    multinode: placement === 'cluster',
    backend_options: profile.backend_options ?? null,
  };
}

/** `spot` of requirements from a policy: null = either kind. */
export function spotOf(policy: 'spot' | 'on-demand' | 'auto' | null | undefined): boolean | null {
  if (policy === 'auto') return null;
  return policy === 'spot';
}

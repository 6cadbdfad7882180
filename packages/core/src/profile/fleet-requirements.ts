import type { FleetSpec, Requirements } from '@dstack/contract/wire';
import { mergedFleetProfile } from './merge.ts';

const NO_GPU_RULES = {
  ...{ vendor: null, name: null, memory: null, total_memory: null, compute_capability: null },
} as const;

/** A fleet without `resources` accepts any machine. */
export const UNCONSTRAINED: Requirements['resources'] = {
  cpu: { arch: null, count: { min: 1, max: null } },
  memory: { min: 0, max: null },
  shm_size: null,
  gpu: { ...NO_GPU_RULES, count: { min: 0, max: null } },
  disk: null,
};

/**
 * The question for everything that there is. Without a least size either: backends that give a job a part of a
 * machine offer the smallest part that satisfies a request, and here the whole machine is meant.
 */
export const EVERYTHING: Requirements = {
  resources: {
    ...UNCONSTRAINED,
    cpu: { arch: null, count: { min: null, max: null } },
    memory: { min: null, max: null },
    gpu: { ...NO_GPU_RULES, count: { min: null, max: null } },
  },
  ...{ max_price: null, spot: null, reservation: null, multinode: false, backend_options: null },
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

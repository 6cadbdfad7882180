import type { BackendType, Requirements } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import type { Backend } from '../base/backend.ts';
import { type Catalog, catalogItems } from '../catalog/catalog.ts';
import { catalogOffer } from '../catalog/offers.ts';

/** Clouds whose offers say that the job's container is the machine (`instance_runtime: runner`). */
const RUNNER_CLOUDS: ReadonlySet<BackendType> = new Set([
  'kubernetes',
  'slurm',
  'vastai',
  'daytona',
  'lium',
]);

export interface CloudOptions {
  readonly type: BackendType;
  /** Null = all regions the catalogue knows. */
  readonly regions: readonly string[] | null;
  readonly catalog: Catalog;
  readonly matches: (requirements: Requirements, offer: Offer) => boolean;
}

/**
 * A configured cloud seen through its price list. It makes no machines, so its offers are shown as
 * `not_available`: a plan lists them, placement never counts on them.
 */
export function cloudBackend(options: CloudOptions): Backend {
  const { type, regions, catalog, matches } = options;
  const wanted = regions && new Set(regions.map((region) => region.toLowerCase()));
  const runtime = RUNNER_CLOUDS.has(type) ? 'runner' : 'shim';
  const items = catalogItems(catalog, type)
    .filter((item) => !wanted || wanted.has(item.location.toLowerCase()))
    .sort((a, b) => a.price - b.price);
  return {
    name: type,
    offers: async (requirements) =>
      items
        .map((item) => catalogOffer(type, item, requirements, 'not_available', runtime))
        .filter((offer) => matches(requirements, offer)),
    signalsCapacity: false,
    compute: null,
  };
}

import type { BackendType, Requirements } from '@dstack/contract/wire';
import { capabilitiesOf, type Offer } from '@dstack/core';
import type { Backend } from '../base/port.ts';
import { type Catalog, catalogItems } from '../catalog/catalog.ts';
import { catalogOffer } from '../catalog/offers.ts';

export interface CloudOptions {
  readonly type: BackendType;
  /** Null = all regions of the catalogue. */
  readonly regions: readonly string[] | null;
  readonly catalog: Catalog;
  /** Where its prices are from, for people; null, or omitted: there is nothing to add. */
  readonly note?: string | null;
  readonly matches: (requirements: Requirements, offer: Offer) => boolean;
}

/**
 * A configured cloud, represented by its price list. It creates no machines, so its offers are
 * shown as `not_available`: a plan lists them, and placement never uses them.
 */
export function cloudBackend(options: CloudOptions): Backend {
  const { type, regions, catalog, matches, note = null } = options;
  const wanted = regions && new Set(regions.map((region) => region.toLowerCase()));
  const { runtime } = capabilitiesOf(type);
  const items = catalogItems(catalog, type)
    .filter((item) => !wanted || wanted.has(item.location.toLowerCase()))
    .sort((a, b) => a.price - b.price);
  return {
    name: type,
    capabilities: capabilitiesOf(type),
    offers: async (requirements) => ({
      offers: items
        .map((item) => catalogOffer(type, item, requirements, 'not_available', runtime))
        .filter((offer) => matches(requirements, offer)),
      notes: note === null ? [] : [note],
    }),
    signalsCapacity: false,
    instances: null,
    volumes: null,
    groups: null,
    check: async () => [],
  };
}

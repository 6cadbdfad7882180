/** The price lists of providers: those of `DSTACK_CATALOG_URL`, else the samples of the product. */
import { type Catalog, loadCatalog } from '@dstack/backends';
import { CatalogRefresh } from '../catalog/catalog-refresh.ts';
import { systemMillis } from '../clock/system-clock.ts';
import { Outgoing } from '../outgoing/outgoing.ts';
import { hostsOfSettings, OutgoingRules } from '../outgoing/outgoing-rules.ts';
import { assets } from '../process/assets.ts';
import type { Parts } from './parts.ts';

export interface OpenedCatalog {
  readonly catalog: Catalog;
  /** Where the prices are from, for plans; null = there is nothing to add. */
  readonly catalogNote: () => string | null;
}

export async function openCatalog({
  settings,
  store,
  log,
  closing,
}: Parts): Promise<OpenedCatalog> {
  const catalog = new Map(loadCatalog(assets.catalog));
  const { catalogUrl: url } = settings;
  if (url === null) return { catalog, catalogNote: () => null };
  const rules = new OutgoingRules([...settings.outgoingAllow, ...hostsOfSettings(url)]);
  const outgoing = new Outgoing(rules);
  closing.add(() => outgoing.close());
  const refresh = new CatalogRefresh({
    ...{ url, catalog, meta: store.meta, now: systemMillis, log, outgoing },
  });
  closing.add(() => refresh.close());
  await refresh.start();
  return { catalog, catalogNote: () => refresh.note };
}

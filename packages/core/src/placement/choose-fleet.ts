import type { FleetRecord, Id } from '../model/index.ts';
import { refersTo } from '../offers/pool.ts';
import {
  type FleetOption,
  growingOption,
  type PoolView,
  poolOption,
  viewPool,
} from './fleet-option.ts';
import type { GangRequest } from './gang-request.ts';
import type { CapacityLedger } from './ledger.ts';
import { unusableVolume } from './mounts.ts';
import type { Ask } from './new-slots.ts';
import { projectsOf } from './slots.ts';

/**
 * The fleet and the slots for a gang: fleets that can hold the whole run on existing instances come
 * first, then the cheapest existing instance, then the cheapest new one, then the fleets' order.
 * Backends are asked only if no fleet has enough. Null: there is no place now; `refusalOf` says why.
 */
export function chooseFleet(
  ledger: CapacityLedger,
  request: GangRequest,
  ask: Ask,
  shared: ReadonlySet<Id> | null = null,
): FleetOption | null {
  if (unusableVolume(ledger, request)) return null;
  const views = candidateFleets(ledger, request, shared)
    .map((fleet) => viewPool(ledger, fleet, request))
    .filter((view): view is PoolView => view !== null);
  const settled = views
    .filter((view) => view.suffices)
    .map(poolOption)
    .filter((option): option is FleetOption => option !== null);
  if (settled.length > 0) return best(settled);
  const options = views
    .map((view) => growingOption(ledger, view, request, ask))
    .filter((option): option is FleetOption => option !== null);
  return options.length > 0 ? best(options) : null;
}

function best(options: readonly FleetOption[]): FleetOption {
  return options.reduce((a, b) => {
    if (b.poolPrice !== a.poolPrice) return b.poolPrice < a.poolPrice ? b : a;
    return b.offerPrice < a.offerPrice ? b : a;
  });
}

/**
 * Fleets a run may be placed in by what it names and by what it already occupies. `shared`: only
 * these, for a run of another project, which may use no others of this ledger.
 */
export function candidateFleets(
  ledger: CapacityLedger,
  request: GangRequest,
  shared: ReadonlySet<Id> | null = null,
): FleetRecord[] {
  const settled = ledger.fleetOfRun(request.run);
  const named = request.profile.fleets;
  const projects = projectsOf(ledger, request);
  return ledger.fleets.filter((fleet) => {
    if (shared && !shared.has(fleet.id)) return false;
    if (settled !== null && fleet.id !== settled) return false;
    return !named || named.some((reference) => refersTo(reference, fleet, projects));
  });
}

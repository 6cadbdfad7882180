import type { FleetRecord } from '../model/index.ts';
import { referenceText, refersTo } from '../offers/pool.ts';
import type { Board } from './board.ts';
import {
  type FleetOption,
  type FleetRefusal,
  growingOption,
  type PoolView,
  poolOption,
  viewPool,
} from './fleet-option.ts';
import type { GangRequest } from './gang-request.ts';
import type { Ask } from './new-seats.ts';
import { projectsOf } from './seats.ts';

/** Why a gang has no place; `message` goes into the job's termination message. */
export interface Refusal {
  readonly message: string;
}

/** Clients show `no fleets` instead of `no capacity` where a message contains this phrase. */
export const NO_FLEET_PHRASE = 'No matching fleet found';

/**
 * The fleet and the seats for a gang: fleets that can hold the whole run on existing instances come
 * first, then the cheapest existing instance, then the cheapest new one, then the fleets' order.
 * Backends are asked only if no fleet has enough.
 */
export function chooseFleet(board: Board, request: GangRequest, ask: Ask): FleetOption | Refusal {
  const fleets = candidateFleets(board, request);
  if (fleets.length === 0) return { message: noFleetMessage(board, request) };
  const views: PoolView[] = [];
  const refusals: FleetRefusal[] = [];
  for (const fleet of fleets) {
    const view = viewPool(board, fleet, request);
    if ('reason' in view) refusals.push(view);
    else views.push(view);
  }
  const settled = views
    .filter((view) => view.suffices)
    .map(poolOption)
    .filter((option) => option !== null);
  if (settled.length > 0) return best(settled);
  const options: FleetOption[] = [];
  for (const view of views) {
    const option = growingOption(board, view, request, ask);
    if ('reason' in option) refusals.push(option);
    else options.push(option);
  }
  return options.length > 0 ? best(options) : { message: refusalMessage(request, refusals) };
}

function best(options: readonly FleetOption[]): FleetOption {
  return options.reduce((a, b) => {
    if (b.poolPrice !== a.poolPrice) return b.poolPrice < a.poolPrice ? b : a;
    return b.offerPrice < a.offerPrice ? b : a;
  });
}

/** Fleets a run may be placed in by what it names and by what it already occupies. */
export function candidateFleets(board: Board, request: GangRequest): FleetRecord[] {
  const settled = board.fleetOfRun(request.run);
  const named = request.profile.fleets;
  const projects = projectsOf(board);
  return board.fleets.filter((fleet) => {
    if (settled !== null && fleet.id !== settled) return false;
    return !named || named.some((reference) => refersTo(reference, fleet, projects));
  });
}

function noFleetMessage(board: Board, request: GangRequest): string {
  const named = request.profile.fleets;
  if (named) {
    const names = named.map(referenceText).join(', ');
    return `${NO_FLEET_PHRASE}: none of the specified fleets (${names}) is there`;
  }
  if (board.fleetOfRun(request.run) !== null) {
    return `${NO_FLEET_PHRASE}: the fleet of the run is gone`;
  }
  return `${NO_FLEET_PHRASE}: the project has none. Create one with 'dstack apply'`;
}

/** Reasons told by name; the rest is counted. */
const FLEETS_NAMED = 3;

function refusalMessage(request: GangRequest, refusals: readonly FleetRefusal[]): string {
  const told = refusals
    .slice(0, FLEETS_NAMED)
    .map(({ fleet, reason }) => `${fleet.name}: ${reason}`);
  const more = refusals.length - told.length;
  const reasons = told.join('; ') + (more > 0 ? `; and ${more} more` : '');
  if (refusals.every((refusal) => refusal.unfit)) return `${NO_FLEET_PHRASE} (${reasons})`;
  if (request.profile.instances) {
    return `The specified instances cannot take the run now (${reasons})`;
  }
  const [only] = refusals;
  if (refusals.length === 1 && only?.reason.startsWith('it is at capacity')) {
    return `Fleet ${only.fleet.name} is at capacity${only.reason.slice('it is at capacity'.length)}`;
  }
  return `No fleet has capacity for the run now (${reasons})`;
}

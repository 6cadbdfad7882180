import type { PlacementSnapshot } from '../model/index.ts';
import { Board } from './board.ts';
import { candidateFleets, chooseFleet } from './choose-fleet.ts';
import { type GangRequest, gangRequest } from './gang-request.ts';
import { isElastic, newCapacityFor } from './new-capacity.ts';
import type { Ask } from './new-seats.ts';
import type { OffersWanted } from './offers-wanted.ts';
import { claimSeats, placeable } from './placeable.ts';
import { waitingRequest } from './waiting.ts';

/**
 * The questions whose answers `place` needs for this snapshot. Gangs that find their place on what
 * is there ask nothing, until one does not: what it will take is not known yet, so everybody after
 * it may need new capacity too.
 */
export function wantsBackendOffers(snapshot: PlacementSnapshot): readonly OffersWanted[] {
  const wanted = new Map<string, OffersWanted>();
  const ask: Ask = (question) => {
    wanted.set(question.key, question);
    return [];
  };
  const board = new Board(snapshot, { localMaxInstances: Infinity });
  let certain = true;
  for (const gang of placeable(snapshot.gangs)) {
    const request = gangRequest(gang);
    const option = certain ? chooseFleet(board, request, ask) : null;
    if (option && 'seats' in option) {
      claimSeats(board, gang.run, option);
    } else {
      certain = false;
      askEverywhere(board, request, ask);
    }
  }
  for (const run of snapshot.waiting) {
    const request = waitingRequest(run);
    if (request) askEverywhere(board, request, localOnly(ask));
  }
  return [...wanted.values()];
}

function askEverywhere(board: Board, request: GangRequest, ask: Ask): void {
  const { profile } = request;
  if (profile.instances || profile.creation_policy === 'reuse') return;
  const kinds = new Map(request.nodes.map((node) => [node.kind, node]));
  for (const fleet of candidateFleets(board, request)) {
    if (!isElastic(fleet)) continue;
    for (const node of kinds.values()) {
      if (node.needs.multinode && fleet.spec.configuration.placement !== 'cluster') continue;
      const capacity = newCapacityFor(fleet, node, profile);
      if (!('incompatible' in capacity)) ask(capacity.question);
    }
  }
}

/** The same question to the server's own machine alone. */
export function localOnly(ask: Ask): Ask {
  return (question) => {
    if (question.backends && !question.backends.includes('local')) return [];
    return ask({ ...question, key: `${question.key}:local`, backends: ['local'] });
  };
}

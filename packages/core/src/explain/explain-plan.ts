/** Explains which fleets could take a run that is not submitted yet, and why others cannot. */
import type { FleetRecord } from '../model/index.ts';
import type { BackendAnswers, BackendsState } from '../placement/backend-answers.ts';
import type { GangRequest } from '../placement/gang-request.ts';
import type { RequestLook } from '../placement/look-ahead.ts';
import { candidateFleets, chooseFleet } from '../placement/place/choose-fleet.ts';
import type { Ask, OffersWanted } from '../placement/place/new-capacity.ts';
import { fleetName, refusalOf } from '../placement/place/refusals.ts';
import { batchesOf } from '../plan/batches.ts';
import type { PlanInput } from '../plan/input.ts';
import { ledgerOf } from '../plan/ledger.ts';
import { consideredRows, type Surroundings } from './considered.ts';
import type { Row } from './diagnosis.ts';
import type { Answerable, ExplainContext } from './input.ts';
import { Names } from './names.ts';

/**
 * The rows of each fleet for the run's first job: the one that would take it now, others that could, and why
 * the rest cannot. The queue is left out: the run is not in it.
 */
export function explainPlan(
  input: PlanInput,
  backends: BackendsState,
  answers: BackendAnswers,
  ctx: Pick<ExplainContext, 'viewer'>,
): Answerable<readonly Row[]> {
  const wanted = new Map<string, OffersWanted>();
  const ask: Ask = (question) => {
    const offers = answers.offers.get(question.key);
    if (offers === undefined) wanted.set(question.key, question);
    return offers ?? [];
  };
  const [first] = batchesOf(input);
  if (first === undefined) return { explanation: [], wanted: [] };
  const ledger = ledgerOf(input);
  const around: Surroundings = {
    names: new Names(input.projectId, input.projectNames, ctx.viewer),
    holders: [],
    backends,
    market: { abilities: backends.abilities, notes: answers.notes },
  };
  const lookFor = (request: GangRequest): RequestLook => {
    const option = chooseFleet(ledger, request, ask);
    const refusal = option === null ? refusalOf(ledger, request, ask) : null;
    return { request, ledger, ask, option, refusal };
  };
  const whole = lookFor(first.request);
  const rowsOf = (fleet: FleetRecord): readonly Row[] => {
    const look = lookFor(onlyIn(fleet, first.request));
    const name = fleetName(ledger, fleet, first.request);
    const rows = consideredRows(look, around).filter((row) => row.fleet === name);
    if (look.option === null || whole.option?.fleet.id === fleet.id) return rows;
    const [head, ...rest] = rows;
    return head === undefined ? [] : [{ ...head, text: 'it could take the run too' }, ...rest];
  };
  const candidates = candidateFleets(ledger, first.request);
  const chosen = candidates.filter(({ id }) => id === whole.option?.fleet.id);
  const others = candidates.filter(({ id }) => id !== whole.option?.fleet.id);
  const names = new Set(candidates.map((fleet) => fleetName(ledger, fleet, first.request)));
  const excluded = consideredRows(whole, around).filter(
    ({ fleet }) => fleet === null || !names.has(fleet),
  );
  return {
    explanation: [...[...chosen, ...others].flatMap(rowsOf), ...excluded],
    wanted: [...wanted.values()],
  };
}

function onlyIn(fleet: FleetRecord, request: GangRequest): GangRequest {
  return { ...request, run: { ...request.run, fleetId: fleet.id } };
}

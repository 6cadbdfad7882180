/** Runs placement with a change, to verify a fix before it is suggested. */
import type { Profile, Requirements } from '@dstack/contract/wire';
import type { DecisionContext, Gang, PlacementSnapshot } from '../model/index.ts';
import { gangRequest } from '../placement/gang-request.ts';
import { type GangLook, lookAtGang } from '../placement/look-ahead.ts';
import { chooseFleet } from '../placement/place/choose-fleet.ts';
import type { Ask } from '../placement/place/new-capacity.ts';
import { refusalOf } from '../placement/place/refusals.ts';
import { spotOf } from '../profile/fleet-requirements.ts';
import { isGangOf } from './waiting.ts';

/** `later`: it waits for something that can become free. */
export type TrialOutcome = 'never' | 'later' | 'now';

const RANK: Readonly<Record<TrialOutcome, number>> = { never: 0, later: 1, now: 2 };

export interface TrialWorld {
  readonly snapshot: PlacementSnapshot;
  readonly ask: Ask;
  readonly ctx: DecisionContext;
}

export class Trials {
  readonly #look: GangLook;
  readonly #world: TrialWorld;
  readonly #base: TrialOutcome;

  constructor(look: GangLook, world: TrialWorld) {
    this.#look = look;
    this.#world = world;
    this.#base = trialOutcome(look);
  }

  /** Whether the outcome is better than the present one. */
  helps(outcome: TrialOutcome): boolean {
    return RANK[outcome] > RANK[this.#base];
  }

  /** Changes the gang, on the capacity that gangs ahead leave. */
  gang(change: (gang: Gang) => Gang): TrialOutcome {
    const { ledger, ask } = this.#look;
    const request = gangRequest(change(this.#look.gang));
    const option = chooseFleet(ledger, request, ask);
    return trialOutcome({ option, refusal: option ? null : refusalOf(ledger, request, ask) });
  }

  /** Changes the snapshot, which contains the gang too. */
  world(
    change: (snapshot: PlacementSnapshot) => PlacementSnapshot,
    settings: Partial<DecisionContext['settings']> = {},
  ): TrialOutcome {
    const look = this.placed(change, settings);
    return look ? trialOutcome(look) : 'never';
  }

  /** The place that the gang would have in a changed world; null = it would not be looked for. */
  placed(
    change: (snapshot: PlacementSnapshot) => PlacementSnapshot,
    settings: Partial<DecisionContext['settings']> = {},
  ): GangLook | null {
    const { snapshot, ask, ctx } = this.#world;
    const first = this.#look.gang.jobs[0];
    const meant = first ? isGangOf(first) : () => false;
    const changed = { ...ctx, settings: { ...ctx.settings, ...settings } };
    return lookAtGang(change(snapshot), ask, changed, meant);
  }
}

export function trialOutcome({
  option,
  refusal,
}: Pick<GangLook, 'option' | 'refusal'>): TrialOutcome {
  if (option) return 'now';
  const canWait = refusal?.kind === 'no-place' && refusal.fleets.some((f) => f.verdict === 'full');
  return canWait ? 'later' : 'never';
}

/** The gang with changed profile keys of the run's configuration; null removes a key. */
export function withProfile(gang: Gang, keys: Partial<Profile>): Gang {
  const { spec } = gang.run;
  const configuration = { ...spec.configuration, ...keys } as typeof spec.configuration;
  const profile = spec.profile && { ...spec.profile, ...keys };
  return { ...gang, run: { ...gang.run, spec: { ...spec, configuration, profile } } };
}

/** The same for keys that the jobs' requirements repeat. */
export function withPlacement(
  gang: Gang,
  keys: Partial<Pick<Profile, 'spot_policy' | 'reservation'>>,
): Gang {
  return withRequirements(withProfile(gang, keys), (asked) => ({
    ...asked,
    ...(keys.spot_policy === undefined ? {} : { spot: spotOf(keys.spot_policy) }),
    ...(keys.reservation === undefined ? {} : { reservation: keys.reservation }),
  }));
}

/** The gang with changed requirements. */
export function withRequirements(
  gang: Gang,
  change: (requirements: Requirements) => Requirements,
): Gang {
  const jobs = gang.jobs.map((job) => ({
    ...job,
    spec: { ...job.spec, requirements: change(job.spec.requirements) },
  }));
  return { ...gang, jobs };
}

/** Plans of runs and fleets, in the form in which tools return them. */
import { isRunFinished } from '@dstack/contract/status';
import type { FleetPlan, RunPlan } from '@dstack/contract/wire';
import * as z from 'zod';
import type { PackedUserFiles } from '../local-files.ts';
import type { ToolContext } from '../tool.ts';
import { OfferSummary, offerSummary } from './run-summary.ts';
import type { Specified } from './spec.ts';

const MOST_OFFERS = 10;

export const PlanSummary = z.object({
  kind: z.string(),
  name: z.string().nullable(),
  action: z.string(),
  jobs: z.number(),
  offers: z.array(OfferSummary),
  total_offers: z.number(),
  cheapest_usd_per_hour: z.number().nullable(),
  files: z.array(z.string()).describe('Paths of the user that would be uploaded'),
  notes: z.array(z.string()),
  warnings: z.array(z.string()),
});
export type PlanSummary = z.infer<typeof PlanSummary>;

export type Planned =
  | {
      readonly kind: 'run';
      readonly plan: RunPlan;
      readonly files: PackedUserFiles;
      readonly summary: PlanSummary;
    }
  | { readonly kind: 'fleet'; readonly plan: FleetPlan; readonly summary: PlanSummary };

export async function planned(specified: Specified, { project }: ToolContext): Promise<Planned> {
  const { warnings } = specified;
  if (specified.kind === 'fleet') {
    const { autocreated: _default, ...sent } = specified.spec;
    const plan = await project.fleets.getPlan(sent as typeof specified.spec);
    const name = plan.spec.configuration.name ?? null;
    const action = fleetAction(plan);
    const offers = offersOf(plan.offers, plan.total_offers);
    return {
      kind: 'fleet',
      plan,
      summary: {
        kind: 'fleet',
        name,
        action,
        jobs: 0,
        ...offers,
        files: [],
        notes: [...(plan.notes ?? [])],
        warnings: [...warnings],
      },
    };
  }
  const plan = await project.runs.getPlan({ run_spec: specified.spec, max_offers: MOST_OFFERS });
  const [first] = plan.job_plans;
  return {
    kind: 'run',
    plan,
    files: specified.files,
    summary: {
      kind: plan.run_spec.configuration.type,
      name: plan.run_spec.run_name ?? null,
      action: runAction(plan),
      jobs: plan.job_plans.length,
      ...offersOf(first?.offers ?? [], first?.total_offers ?? 0),
      files: specified.files.mappings.map(({ local_path: path }) => path),
      notes: [...plan.notes],
      warnings: [...warnings],
    },
  };
}

function offersOf(offers: Parameters<typeof offerSummary>[0][], total: number) {
  const prices = offers.map(({ price }) => price);
  return {
    offers: offers.slice(0, MOST_OFFERS).map(offerSummary),
    total_offers: total,
    cheapest_usd_per_hour: prices.length > 0 ? Math.min(...prices) : null,
  };
}

/** Whether an active run has this name, and what applying would do to it. */
function runAction({ current_resource: current, action }: RunPlan): string {
  if (!current || isRunFinished(current.status)) return 'create a run';
  return action === 'update'
    ? 'update the active run in place'
    : 'refused: an active run has this name and cannot be changed in place; stop it first';
}

function fleetAction({ current_resource: current, action }: FleetPlan): string {
  if (!current) return 'create a fleet';
  return action === 'update'
    ? 'update the fleet in place'
    : 'refused: a fleet has this name and cannot be changed in place; delete it first';
}

/** Whether applying would have to end something that is active. */
export function isRefused({ action }: PlanSummary): boolean {
  return action.startsWith('refused');
}

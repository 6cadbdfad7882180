import type { TaskArray } from '@dstack/contract';
import { arrayIndexes } from '@dstack/contract/array-members';
import type { JobPlan, Profile, RunPlan } from '@dstack/contract/wire';
import { requestedResources } from '../../format/resources.ts';
import { durationInOneUnit, durationInUnits } from '../../format/time.ts';
import { price } from '../../format/values.ts';
import { renderOfferTable } from '../../runs/offer-table.ts';
import { renderProperties, type TableLayout } from '../../terminal/table.ts';

export interface RunPlanView {
  readonly verbose: boolean;
  readonly maxOffers: number;
  readonly layout: TableLayout;
}

/**
 * The plan of a run as shown before the question: properties, then the offers of each kind of job.
 */
export function runPlanText(plan: RunPlan, view: RunPlanView): string {
  const blocks = [renderProperties(planProperties(plan, view.verbose), view.layout)];
  const groups = distinctPlans(plan);
  for (const { title, jobPlan } of groups) {
    if (jobPlan.offers.length === 0) continue;
    const heading = groups.length > 1 ? ` ${view.layout.paint('bold', title)}\n` : '';
    blocks.push(
      heading +
        renderOfferTable(jobPlan.offers, {
          total: jobPlan.total_offers,
          maxPrice: jobPlan.max_price ?? null,
          limit: view.maxOffers,
          layout: view.layout,
        }),
    );
  }
  return blocks.join('\n');
}

type Property = readonly [name: string, value: string];

export function planProperties(plan: RunPlan, verbose: boolean): Property[] {
  const spec = plan.effective_run_spec ?? plan.run_spec;
  const { configuration } = spec;
  const profile = mergedProfile(configuration, spec.profile ?? null);
  const job = plan.job_plans[0]?.job_spec;
  const nodes = plan.job_plans.length;
  const creation = profile.creation_policy ?? 'reuse-or-create';
  const reservation = profile.reservation ?? null;
  const properties: (Property | null)[] = [
    ['Project', plan.project_name],
    ['User', plan.user],
    [
      'Type',
      configuration.type === 'task' ? `${configuration.type} (nodes=${nodes})` : configuration.type,
    ],
    configuration.type === 'task' && configuration.array
      ? ['Array', arrayProperty(configuration.array)]
      : null,
    job ? ['Resources', requestedResources(job.requirements.resources)] : null,
    ['Spot policy', spotPolicy(job?.requirements.spot)],
    ['Max price', maxPrice(job?.requirements.max_price)],
    ['Retry policy', retryPolicy(job?.retry)],
    creation !== 'reuse-or-create' || verbose ? ['Creation policy', creation] : null,
    ['Idle duration', idleDuration(profile)],
    ['Max duration', job?.max_duration ? durationInOneUnit(job.max_duration) : 'off'],
    configuration.type === 'dev-environment'
      ? ['Inactivity duration', inactivity(configuration.inactivity_duration)]
      : null,
    reservation !== null || verbose ? ['Reservation', reservation ?? '-'] : null,
  ];
  return properties.filter((p) => p !== null);
}

/** `20 members, 4 at a time, 1 may fail` */
function arrayProperty(array: TaskArray): string {
  const count = arrayIndexes(array).length;
  const parallel = array.max_parallel < count ? `, ${array.max_parallel} at a time` : '';
  const failures = array.max_failures > 0 ? `, ${array.max_failures} may fail` : '';
  return `${count} members${parallel}${failures}`;
}

/** One job plan for each kind of job: per node group, per replica group. */
function distinctPlans(plan: RunPlan): { title: string; jobPlan: JobPlan }[] {
  const groups = new Map<string, { title: string; jobPlan: JobPlan }>();
  for (const jobPlan of plan.job_plans) {
    const { replica_group: replicas, node_group_name: nodes } = jobPlan.job_spec;
    const key = `${replicas}/${nodes}`;
    if (!groups.has(key))
      groups.set(key, { title: `Group ${nodes === '0' ? replicas : nodes}`, jobPlan });
  }
  return [...groups.values()];
}

type ProfileFields = Partial<Profile>;

/**
 * The merge rule of the API: a field of the configuration that is not null replaces the profile's.
 */
function mergedProfile(configuration: object, profile: Profile | null): ProfileFields {
  const given = Object.entries(configuration).filter(([, v]) => v !== null && v !== undefined);
  return { ...profile, ...Object.fromEntries(given) } as ProfileFields;
}

function spotPolicy(spot: boolean | null | undefined): string {
  if (spot === null || spot === undefined) return 'auto';
  return spot ? 'spot' : 'on-demand';
}

function maxPrice(max: number | null | undefined): string {
  return max === null || max === undefined ? 'off' : price(max, 6);
}

function retryPolicy(
  retry: { on_events: readonly string[]; duration: number } | null | undefined,
): string {
  if (!retry) return 'off';
  return `${durationInOneUnit(retry.duration)}[${retry.on_events.join(', ')}]`;
}

/** Has no value if the run may not create instances, or keeps them for ever. */
function idleDuration(profile: ProfileFields): string {
  const seconds = profile.idle_duration;
  if (seconds === null || seconds === undefined) return '5m';
  const n = Number(seconds);
  return n < 0 ? '-' : durationInOneUnit(n);
}

function inactivity(seconds: unknown): string {
  return typeof seconds === 'number' ? durationInUnits(seconds) : 'off';
}

import { nearest } from '@dstack/contract/nearest';
import { amountText, resourceText } from '@dstack/contract/quota-text';
import type { RunPlan } from '@dstack/contract/wire';
import { creationHint } from '../../configuration/load-file.ts';
import type { Connection } from '../../context.ts';
import { CliError, EXIT } from '../../errors.ts';
import { startText } from '../../runs/start-text.ts';
import type { Paint } from '../../terminal/style.ts';

/**
 * Explains why a plan has no offers: there are no fleets, or none matches. A notice, not an error,
 * since capacity may become free; but throws if none of the fleets that the run names exists.
 */
export async function missingOffersNotice(
  plan: RunPlan,
  connection: Connection,
  { paint, cwd }: { readonly paint: Paint; readonly cwd: string },
): Promise<string> {
  const fleets = await connection.project.fleets.list({ include_imported: true });
  requireNamedFleets(
    plan,
    fleets.map(({ name, project_name }) => ({ name, project: project_name })),
    connection.project.name,
  );
  if (fleets.length === 0) {
    return paint(
      'error',
      `The project ${connection.project.name} has no fleets. Create one before submitting a run: ${await creationHint(cwd, 'fleet')}\n`,
    );
  }
  const advice =
    (plan.notes ?? []).length > 0
      ? 'The notes above name the reasons'
      : 'Ask for less (--gpu, --memory, --max-price)';
  return paint(
    'warning',
    `No matching instance offers available now. ${advice}; see also: dstack offer, dstack fleet\n`,
  );
}

/**
 * A notice about a run for which there is no place now, because all offers that match it are of instances in
 * use. Null: there is a place, or the notes of the server say what the run waits for.
 */
export function outlookNotice(plan: RunPlan, now: number): string | null {
  switch (plan.outlook) {
    case 'ends':
      return 'Nothing that matches is free now: the run would end at once. To let it wait, add to the configuration `retry: {on_events: [no-capacity], duration: 1d}`; who has the instances: dstack ps, dstack fleet\n';
    case 'waits':
      return `Nothing that matches is free now: ${mayWait(plan)}${waitText(plan, now)}.\n`;
    default:
      return null;
  }
}

const mayWait = (plan: RunPlan): string =>
  waitsAnyway(plan) ? 'the run waits' : 'its `retry` lets the run wait';

/** Without `retry` a run waits for what passes by itself, such as maintenance, and for those who have to leave for it. */
export const waitsAnyway = ({ outlook, job_plans: jobs }: RunPlan): boolean =>
  outlook === 'waits' &&
  jobs.some(({ job_spec: { retry } }) => !retry?.on_events.includes('no-capacity'));

/** The quotas that the plan would use, also those of others; servers of dstack 0.22.5 do not report them. */
export function quotaNotices({ quota = [], preempts = [], borrows }: RunPlan): string[] {
  const lines = quota.map(({ of, fleet, resource, used, limit, needed }) => {
    const whose = of === 'user' ? 'Your quota' : 'Quota of the project';
    const where = fleet === null ? '' : ` on fleet ${fleet}`;
    const amounts = `${amountText(resource, used)} of ${resourceText(resource, limit)} used`;
    const needs = needed === null ? '' : `, the run needs ${resourceText(resource, needed)}`;
    return `${whose}${where}: ${amounts}${needs}`;
  });
  if (borrows) {
    lines.push(
      `Borrowed: ${borrows}. It may have to leave for runs of projects that are guaranteed it`,
    );
  }
  const leaving = preempts.map(({ project, runs }) => {
    const whose = project === null ? 'of other projects' : `of project ${project}`;
    return `${runs} ${runs === 1 ? 'run' : 'runs'} ${whose}`;
  });
  if (leaving.length > 0) lines.push(`Has to leave for it: ${leaving.join(', ')}`);
  return lines;
}

/** `, at place 3 of the queue; it is expected to start in about 5m`. Servers of dstack 0.22.5 have neither. */
function waitText(plan: RunPlan, now: number): string {
  const place = plan.queue_place ? `, at place ${plan.queue_place} of the queue` : '';
  if (!plan.expected_start) return place;
  return `${place}; it is expected to start ${startText(plan, now)}`;
}

interface FleetReference {
  readonly name: string;
  readonly project?: string | null;
}

/** A run that names only fleets that do not exist would fail at once. */
function requireNamedFleets(
  plan: RunPlan,
  fleets: readonly FleetReference[],
  project: string,
): void {
  const { configuration, profile } = plan.effective_run_spec ?? plan.run_spec;
  const named = (configuration.fleets ?? profile?.fleets ?? []) as readonly FleetReference[];
  const exists = (wanted: FleetReference): boolean =>
    fleets.some(
      ({ name, project: owner }) =>
        name === wanted.name && (owner ?? project) === (wanted.project ?? project),
    );
  const [first] = named;
  if (first === undefined || named.some(exists)) return;
  const full = (fleet: FleetReference): string =>
    fleet.project && fleet.project !== project ? `${fleet.project}/${fleet.name}` : fleet.name;
  const names = fleets.map(full);
  const near = nearest(full(first), names);
  const wanted = named.map(full).join(', ');
  throw new CliError(
    `${named.length === 1 ? 'Fleet' : 'Fleets'} ${wanted} do${named.length === 1 ? 'es' : ''} not exist`,
    {
      exitCode: EXIT.notFound,
      why: `project ${project} has ${names.length === 0 ? 'no fleets' : `the fleets ${names.join(', ')}`}`,
      next:
        near === undefined
          ? 'dstack fleet'
          : `did you mean ${near}? (--fleet ${near}, or fleets in the configuration)`,
    },
  );
}

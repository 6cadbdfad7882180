import type { Profile, RunPlan, RunSpec } from '@dstack/contract/wire';
import type { Command } from 'commander';
import { selectProfile } from '../../config/profiles.ts';
import type { Cli } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { requestedResources } from '../../format/resources.ts';
import { backendName } from '../../format/values.ts';
import { olderFormatOption } from '../../options.ts';
import { printYaml } from '../../output/listing.ts';
import { addOutputOptions, type OutputFormat, outputOptions } from '../../output/output-options.ts';
import { renderOfferTable } from '../../runs/offer-table.ts';
import { printPlanNotes } from '../../runs/plan-notes.ts';
import { withSpinner } from '../../terminal/live.ts';
import { renderProperties } from '../../terminal/table.ts';
import { hangingText } from '../../terminal/text-width.ts';
import {
  addOfferFlags,
  addProfileFlags,
  addResourceFlags,
  type ParsedOptions,
  type RunFlags,
  runFlags,
} from '../apply/flags.ts';
import { applyFlags } from '../apply/overrides.ts';
import { renderGpuTable } from './gpu-table.ts';

type Grouping = 'gpu' | 'backend' | 'region' | 'count';
const GROUPINGS: readonly string[] = ['gpu', 'backend', 'region', 'count'];
const DEFAULT_OFFERS = 50;
const DEFAULT_SPOT_POLICY = 'on-demand';

export interface OfferOptions {
  readonly format: OutputFormat;
  /** Empty = not grouped. */
  readonly groupBy: readonly Grouping[];
  readonly flags: RunFlags;
}

export function declareOffer(program: Command, cli: Cli, run: typeof runOffer = runOffer): void {
  const command = program.command('offer').description('Show available machines and prices');
  addOutputOptions(command)
    .addOption(olderFormatOption())
    .option(
      '--group-by <fields>',
      `gpu, and more of ${GROUPINGS.slice(1).join(', ')}, separated by commas (repeatable)`,
      (value: string, previous?: string[]) => [...(previous ?? []), ...value.split(',')],
    );
  addOfferFlags(command, DEFAULT_OFFERS);
  addResourceFlags(command);
  addProfileFlags(command);
  command.action((o: ParsedOptions) =>
    run(
      {
        format: outputOptions(o).format,
        groupBy: groupings(o.groupBy),
        flags: runFlags(o),
      },
      cli,
    ),
  );
}

function groupings(value: unknown): Grouping[] {
  const list = Array.isArray(value) ? value.map((v) => String(v).trim()).filter(Boolean) : [];
  const unknown = list.find((v) => !GROUPINGS.includes(v));
  if (unknown !== undefined) {
    throw new UsageError(`Cannot group by "${unknown}"`, { why: `known: ${GROUPINGS.join(', ')}` });
  }
  if (list.length > 0 && !list.includes('gpu')) {
    throw new UsageError('--group-by needs gpu', { next: `--group-by gpu,${list.join(',')}` });
  }
  return [...new Set(list)] as Grouping[];
}

export async function runOffer(options: OfferOptions, cli: Cli): Promise<void> {
  const spec = await offerSpec(
    options.flags,
    await selectProfile(options.flags.profile.profile, cli),
  );
  if (options.groupBy.length > 0) return showGroups(options, spec, cli);
  const { project } = await cli.connect();
  const { flags } = options;
  const plan = await withSpinner(cli.io, 'Getting offers...', () =>
    project.runs.getPlan({
      run_spec: spec,
      max_offers: flags.maxOffers,
      full_offers: flags.fullOffers,
      unallocated_resources: flags.unallocated,
      for_offers_only: true,
    }),
  );
  const offers = offersDocument(plan);
  const names = offers.offers.flatMap((offer) => offer.nodes?.names ?? [offer.instance_type]);
  if (!(await printDocument(options.format, offers, names, cli))) printOffers(plan, options, cli);
}

/** False if a table is to be printed instead. */
async function printDocument(
  format: OutputFormat,
  document: object,
  names: readonly string[],
  cli: Cli,
): Promise<boolean> {
  if (format === 'table') return false;
  if (format === 'json') cli.io.json(document);
  else if (format === 'yaml') await printYaml(document, cli);
  else for (const name of new Set(names)) cli.io.print(name);
  return true;
}

/** A task that never runs: it only describes the instance that is wanted. */
async function offerSpec(flags: RunFlags, profile: Profile): Promise<RunSpec> {
  const { parseConfiguration } = await import('@dstack/contract');
  const document = {
    type: 'task',
    image: 'scratch',
    commands: [':'],
    user: 'root',
    resources: { cpu: '1..', memory: '0..', gpu: '0..', disk: null },
  };
  const parsed = parseConfiguration(JSON.stringify(document), 'configuration');
  if (!parsed.ok) throw new Error(`the offer request is invalid: ${parsed.errors[0]?.message}`);
  const base = parsed.value as unknown as RunSpec['configuration'];
  const {
    nodes: _nodes,
    groups: _groups,
    ...configuration
  } = (await applyFlags(base, flags)) as {
    nodes?: unknown;
    groups?: unknown;
  };
  return {
    run_name: null,
    repo_id: null,
    repo_data: null,
    repo_code_hash: null,
    repo_dir: null,
    file_archives: [],
    working_dir: null,
    configuration_path: null,
    configuration,
    profile,
    ssh_key_pub: null,
  } as unknown as RunSpec;
}

function requirementsOf(plan: RunPlan): RunPlan['job_plans'][number]['job_spec']['requirements'] {
  const requirements = plan.job_plans[0]?.job_spec.requirements;
  if (requirements === undefined) throw new Error('the server returned a plan without jobs');
  return requirements;
}

function offersDocument(plan: RunPlan) {
  const { resources, max_price, spot, reservation } = requirementsOf(plan);
  const job = plan.job_plans[0];
  return {
    project: plan.project_name,
    user: plan.user,
    requirements: { resources, max_price, spot, reservation },
    offers: (job?.offers ?? []).map((offer) => ({
      backend: backendName(offer.backend, offer.region),
      region: offer.region,
      instance_type: offer.instance.name,
      resources: offer.instance.resources,
      spot: offer.instance.resources.spot,
      price: offer.price,
      availability: offer.availability,
      blocks: offer.blocks,
      total_blocks: offer.total_blocks,
      ...(offer.nodes && { nodes: offer.nodes }),
      ...(offer.hostname && { hostname: offer.hostname }),
    })),
    total_offers: job?.total_offers ?? 0,
  };
}

function printOffers(plan: RunPlan, options: OfferOptions, cli: Cli): void {
  const { io } = cli;
  const requirements = requirementsOf(plan);
  const job = plan.job_plans[0];
  const layout = { width: io.width, paint: io.paint };
  io.print(
    `${renderProperties(
      [
        ['Project', plan.project_name],
        ['User', plan.user],
        ['Resources', requestedResources(requirements.resources)],
        ['Spot policy', spotText(requirements.spot)],
        ['Max price', requirements.max_price == null ? 'off' : `$${requirements.max_price}`],
      ],
      layout,
    )}\n`,
  );
  printPlanNotes(plan, io);
  if (!job || job.offers.length === 0) {
    io.print(
      io.paint(
        'warning',
        'No matching instance offers available. Ask for less, or add a backend or a fleet.',
      ),
    );
    return;
  }
  io.print(
    renderOfferTable(job.offers, {
      total: job.total_offers,
      maxPrice: job.max_price ?? null,
      limit: options.flags.maxOffers,
      layout,
    }),
  );
  if (options.flags.profile.fleets.length === 0) {
    const hint =
      'Offers of backends and of all instances; --fleet NAME shows those of one fleet only.';
    io.info(hangingText(hint, 0, io.errWidth));
  }
}

async function showGroups(options: OfferOptions, spec: RunSpec, cli: Cli): Promise<void> {
  const { io } = cli;
  const { project } = await cli.connect();
  const groupBy = options.groupBy.filter((field) => field !== 'gpu') as (
    | 'backend'
    | 'region'
    | 'count'
  )[];
  const answer = await withSpinner(io, 'Getting offers...', () =>
    project.runs.listGpus({
      run_spec: spec,
      group_by: groupBy,
      full_offers: options.flags.fullOffers,
      unallocated_resources: options.flags.unallocated,
    }),
  );
  const { resources } = spec.configuration;
  // Grouped like the server groups them: its answer contains only the groups.
  const spotPolicy =
    spec.configuration.spot_policy ?? spec.profile?.spot_policy ?? DEFAULT_SPOT_POLICY;
  const maxPrice = spec.configuration.max_price ?? spec.profile?.max_price ?? null;
  const reservation = spec.configuration.reservation ?? spec.profile?.reservation ?? null;
  const spot = spotPolicy === 'auto' ? null : spotPolicy === 'spot';
  const requirements = { resources, max_price: maxPrice, spot, reservation };
  const document = {
    ...{ project: project.name, requirements, group_by: options.groupBy },
    gpus: answer.gpus,
  };
  const names = answer.gpus.map((gpu) => gpu.name);
  if (await printDocument(options.format, document, names, cli)) return;
  io.print(
    `${renderProperties(
      [
        ['Project', project.name],
        ['Resources', requestedResources(resources)],
        ['Spot policy', spotPolicy],
        ['Max price', maxPrice === null ? '-' : `$${maxPrice}`],
        ['Reservation', reservation ?? '-'],
        ['Group by', options.groupBy.join(', ')],
      ],
      { width: io.width, paint: io.paint },
    )}\n`,
  );
  if (answer.gpus.length === 0) {
    io.print(
      io.paint('warning', 'No matching GPU offers available. Ask for less, or add a backend.'),
    );
    return;
  }
  io.print(renderGpuTable(answer.gpus, groupBy, { width: io.width, paint: io.paint }));
}

function spotText(spot: boolean | null | undefined): string {
  if (spot === null || spot === undefined) return 'auto';
  return spot ? 'spot' : 'on-demand';
}

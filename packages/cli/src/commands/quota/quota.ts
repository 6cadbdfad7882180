import type { Quota } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { collect, integerOption } from '../../options.ts';
import { showList, showOne } from '../../output/listing.ts';
import {
  addOutputOptions,
  type OutputOptions,
  outputOptions,
} from '../../output/output-options.ts';
import { runDeleteQuota } from './delete-quota.ts';
import { quotaPlace, quotaText } from './place.ts';
import { renderQuotaTable } from './quota-table.ts';
import { type TermFlags, termsOf } from './terms.ts';
import { warnOfUnpriced } from './unpriced.ts';

interface PlaceFlags {
  readonly fleet: string | null;
  readonly user: string | null;
}

export interface QuotaListOptions extends OutputOptions {
  readonly all: boolean;
}

export type QuotaSetOptions = OutputOptions & PlaceFlags & TermFlags;
export type QuotaDeleteOptions = PlaceFlags & { readonly yes: boolean };

const SET_HELP = `
Amounts: gpu=8, gpu.H100=4, cpu=64, memory=512GB, instances=4, cost=12.5 (dollars per hour),
and as a limit runs=50 (that wait). The quota of the same fleet and user is replaced.

Examples:
  dstack quota set --limit gpu=16 --guaranteed gpu=8
  dstack quota set --user '*' --limit gpu=4 --limit runs=20`;

export function declareQuota(
  program: Command,
  cli: Cli,
  run = { list: runQuotaList, set: runQuotaSet, delete: runQuotaDelete },
): void {
  const quota = withAll(
    addOutputOptions(
      program.command('quota').description('Show and set what projects and users may use'),
    ),
  );
  quota.action((options) =>
    run.list({ all: options.all ?? false, ...outputOptions(options) }, cli),
  );
  withAll(
    addOutputOptions(quota.command('list').description('List quotas and what is used of them')),
  ).action((_o, self: Command) => {
    const options = self.optsWithGlobals();
    return run.list({ all: options.all ?? false, ...outputOptions(options) }, cli);
  });
  withPlace(
    addOutputOptions(quota.command('set').description('Set a quota of the project or its users')),
  )
    .option('--limit <amount>', 'the most that may be used at one time (repeatable)', collect)
    .option('--guaranteed <amount>', 'what the project can have at any time (repeatable)', collect)
    .option('--weight <number>', 'share of what is free, beside other projects', integerOption(1))
    .addHelpText('after', SET_HELP)
    .action((o, self: Command) =>
      run.set(
        {
          ...placeFlags(o),
          ...{ limit: o.limit ?? [], guaranteed: o.guaranteed ?? [], weight: o.weight ?? null },
          ...outputOptions(self.optsWithGlobals()),
        },
        cli,
      ),
    );
  withPlace(quota.command('delete').description('Delete a quota'))
    .option('-y, --yes', 'do not ask')
    .action((o) => run.delete({ ...placeFlags(o), yes: o.yes ?? false }, cli));
}

const withAll = (command: Command): Command =>
  command.option('-a, --all', 'of all projects that you may see');

const withPlace = (command: Command): Command =>
  command
    .option('--fleet <name>', 'only on this fleet; project/fleet for one of another project')
    .option('--user <name>', "only of this user; '*' = of each user by himself");

function placeFlags(o: { readonly fleet?: string; readonly user?: string }): PlaceFlags {
  return { fleet: o.fleet ?? null, user: o.user ?? null };
}

function quotas(cli: Cli) {
  const layout = { width: cli.io.width, paint: cli.io.paint };
  return {
    key: 'quotas',
    name: (quota: Quota) => quotaText(quota),
    table: (list: readonly Quota[]) => renderQuotaTable(list, layout),
  };
}

export async function runQuotaList(options: QuotaListOptions, cli: Cli): Promise<void> {
  const { client, project } = await cli.connect();
  const name = options.all ? null : project.name;
  const listing = {
    ...quotas(cli),
    load: () => client.quotas.list(name),
    document: { project: name },
    empty:
      name === null
        ? 'No quotas: nothing is limited'
        : `No quotas in project ${name}: nothing is limited`,
  };
  await showList<Quota>(listing, { ...options, watch: false }, cli);
}

export async function runQuotaSet(options: QuotaSetOptions, cli: Cli): Promise<void> {
  const { guaranteed, limit, weight } = await termsOf(options);
  const { client } = await cli.connect();
  const place = await quotaPlace({ project: null, ...options }, cli);
  const [quota] = await client.quotas.apply([{ ...place, guaranteed, limit, weight }]);
  if (!quota) return;
  await showOne<Quota>(quota, quotas(cli), options, cli);
  await warnOfUnpriced(quota, cli);
}

export async function runQuotaDelete(options: QuotaDeleteOptions, cli: Cli): Promise<void> {
  await runDeleteQuota(await quotaPlace({ project: null, ...options }, cli), options, cli);
}

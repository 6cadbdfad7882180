import { Problem, parseDuration } from '@dstack/contract';
import type { Instance } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { parseInstant } from '../../format/time.ts';
import { showList } from '../../output/listing.ts';
import { addListOptions, type ListOptions, listOptions } from '../../output/output-options.ts';
import { careText } from './care-text.ts';
import { nameIn, renderInstanceTable } from './instance-table.ts';

interface ChangeOptions {
  readonly names: readonly string[];
  readonly json: boolean;
}

export interface CordonInstanceOptions extends ChangeOptions {
  readonly reason: string | null;
  /** One of the two, or none: until it is uncordoned. */
  readonly seconds: number | null;
  readonly until: string | null;
}

export interface DrainInstanceOptions extends ChangeOptions {
  readonly reason: string | null;
  readonly seconds: number;
}

export function declareInstance(
  program: Command,
  cli: Cli,
  run = { list: runInstanceList, cordon: runCordon, drain: runDrain, uncordon: runUncordon },
): void {
  const instance = addListOptions(
    program.command('instance').description('List instances, cordon and drain them'),
  );
  instance.action((options) => run.list(listOptions(options), cli));
  addListOptions(instance.command('list').description('List instances')).action(
    (_o, self: Command) => run.list(listOptions(self.optsWithGlobals()), cli),
  );
  instance
    .command('cordon')
    .description('Keep new jobs off instances; their present jobs go on')
    .argument('<instance...>', 'names, as in dstack instance list')
    .option('--reason <text>', 'why, for those who look for a place')
    .option('--until <when>', 'a duration such as 2h, or a time such as 2026-12-31T08:00:00Z')
    .option('--json', 'print JSON')
    .action((names, o, self: Command) =>
      run.cordon(
        {
          ...{ names, json: self.optsWithGlobals().json ?? false, reason: o.reason ?? null },
          ...(o.until === undefined ? { seconds: null, until: null } : untilOption(o.until)),
        },
        cli,
      ),
    );
  instance
    .command('drain')
    .description('Keep new jobs off instances, and have their jobs go on elsewhere')
    .argument('<instance...>', 'names, as in dstack instance list')
    .option('--reason <text>', 'why, for those whose jobs have to leave')
    .option('--deadline <duration>', 'until when the last job has to have left', '1h')
    .option('--json', 'print JSON')
    .action((names, o, self: Command) =>
      run.drain(
        {
          ...{ names, json: self.optsWithGlobals().json ?? false, reason: o.reason ?? null },
          seconds: deadlineOption(o.deadline),
        },
        cli,
      ),
    );
  instance
    .command('uncordon')
    .description('Let instances get new jobs again')
    .argument('<instance...>', 'names, as in dstack instance list')
    .option('--json', 'print JSON')
    .action((names, _o, self: Command) =>
      run.uncordon({ names, json: self.optsWithGlobals().json ?? false }, cli),
    );
}

function deadlineOption(value: string): number {
  const seconds = parseDuration(value.trim());
  if (!(seconds instanceof Problem) && seconds > 0) return seconds;
  throw new UsageError(`Cannot read --deadline "${value}"`, {
    why: 'expected a duration such as 10m, 1h or 2d',
  });
}

/** A duration is sent as such: the clock of this computer may differ from the server's. */
function untilOption(value: string): Pick<CordonInstanceOptions, 'seconds' | 'until'> {
  const until = parseInstant(value);
  if (until !== null) return { seconds: null, until };
  const seconds = parseDuration(value.trim());
  if (!(seconds instanceof Problem) && seconds > 0) return { seconds, until: null };
  throw new UsageError(`Cannot read --until "${value}"`, {
    why: 'expected a duration such as 30m, 2h or 1d, or a time with offset such as 2026-12-31T08:00:00Z',
  });
}

export async function runInstanceList(options: ListOptions, cli: Cli): Promise<void> {
  const { project } = await cli.connect();
  const layout = { width: cli.io.width, paint: cli.io.paint };
  const listing = {
    key: 'instances',
    name: (instance: Instance) => nameIn(project.name, instance),
    load: async () => (await project.fleets.list()).flatMap(({ instances }) => instances),
    table: (list: readonly Instance[], verbose: boolean) =>
      renderInstanceTable(list, { verbose, project: project.name, now: cli.now(), layout }),
    document: { project: project.name },
    empty: `No instances in project ${project.name}. Its fleets are listed by: dstack fleet`,
  };
  await showList(listing, options, cli);
}

export async function runCordon(options: CordonInstanceOptions, cli: Cli): Promise<void> {
  const { names, reason, seconds, until } = options;
  const { project } = await cli.connect();
  const changed = await project.instances.cordon(names, { reason, seconds, until });
  showChanged(changed, options, cli);
}

export async function runDrain(options: DrainInstanceOptions, cli: Cli): Promise<void> {
  const { names, reason, seconds } = options;
  const { project } = await cli.connect();
  showChanged(await project.instances.drain(names, { reason, seconds }), options, cli);
}

export async function runUncordon(options: ChangeOptions, cli: Cli): Promise<void> {
  const { project } = await cli.connect();
  showChanged(await project.instances.uncordon(options.names), options, cli);
}

function showChanged(changed: readonly Instance[], { json }: ChangeOptions, cli: Cli): void {
  if (json) {
    cli.io.json({ instances: changed });
    return;
  }
  for (const instance of changed) {
    const text = careText(instance);
    cli.io.info(`${instance.name} ${text === '' ? 'gets new jobs' : `is ${text}`}`);
  }
}

import type { Fleet } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { CliError, UsageError } from '../../errors.ts';
import { collect, integerOption } from '../../options.ts';
import { entityReference, orNotFound } from '../../resource-error.ts';
import { withSpinner } from '../../terminal/live.ts';
import { watchFrames } from '../../terminal/watch.ts';
import { checkedId } from '../run/run.ts';
import { renderFleetTable } from './fleet-table.ts';

export interface FleetListOptions {
  readonly verbose: boolean;
  readonly watch: boolean;
  readonly json: boolean;
}

export interface FleetGetOptions {
  readonly name: string | null;
  readonly id: string | null;
  readonly json: boolean;
}

export interface FleetDeleteOptions {
  readonly name: string;
  readonly instances: readonly number[];
  readonly yes: boolean;
}

export function declareFleet(
  program: Command,
  cli: Cli,
  run = { list: runFleetList, get: runFleetGet, delete: runFleetDelete },
): void {
  const list = (options: Partial<FleetListOptions>): Promise<void> =>
    run.list(
      {
        verbose: options.verbose ?? false,
        watch: options.watch ?? false,
        json: options.json ?? false,
      },
      cli,
    );
  const fleet = withListOptions(program.command('fleet').description('Manage fleets'));
  fleet.action((options) => list(options));
  withListOptions(fleet.command('list').description('List fleets')).action(
    (_options, command: Command) => list(command.optsWithGlobals()),
  );
  fleet
    .command('get')
    .description('Show one fleet')
    .argument('[name]', 'NAME or PROJECT/NAME')
    .option('--id <uuid>', 'id of the fleet')
    .option('--json', 'print JSON')
    .action((name, options, command: Command) =>
      run.get(
        {
          name: name ?? null,
          id: options.id ?? null,
          json: command.optsWithGlobals().json ?? false,
        },
        cli,
      ),
    );
  fleet
    .command('delete')
    .description('Delete a fleet, or some of its instances')
    .argument('<name>', 'name of the fleet')
    .option('-i, --instance <n>', 'number of an instance to delete (repeatable)', collect)
    .option('-y, --yes', 'do not ask')
    .action((name, options) =>
      run.delete(
        {
          name,
          instances: (options.instance ?? []).map(integerOption(0)),
          yes: options.yes ?? false,
        },
        cli,
      ),
    );
}

function withListOptions(command: Command): Command {
  return command
    .option('-v, --verbose', 'show more')
    .option('-w, --watch', 'watch in real time')
    .option('--json', 'print JSON');
}

export async function runFleetList(options: FleetListOptions, cli: Cli): Promise<void> {
  if (options.watch && options.json) {
    throw new UsageError('--watch and --json cannot be used together');
  }
  const { project } = await cli.connect();
  if (options.json) {
    cli.io.json({ project: project.name, fleets: await project.fleets.list() });
    return;
  }
  const frame = async (): Promise<string> =>
    tableOf(await project.fleets.list(), options.verbose, project.name, cli);
  if (options.watch) await watchFrames(cli, frame);
  else cli.io.print(await frame());
}

export async function runFleetGet(options: FleetGetOptions, cli: Cli): Promise<void> {
  if ((options.name === null) === (options.id === null)) {
    throw new UsageError('Give either a name or --id', { next: 'dstack fleet get NAME --json' });
  }
  const id = options.id === null ? null : checkedId(options.id);
  const { client, project } = await cli.connect();
  const reference = entityReference(options.name ?? id ?? '');
  const owner = reference.project === null ? project : client.project(reference.project);
  const fleet = await orNotFound(`Fleet ${options.name ?? id}`, 'dstack fleet list', () =>
    owner.fleets.get(id === null ? { name: reference.name } : { id }),
  );
  if (options.json) cli.io.json(fleet, 2);
  else cli.io.print(tableOf([fleet], true, project.name, cli));
}

export async function runFleetDelete(options: FleetDeleteOptions, cli: Cli): Promise<void> {
  const { name, instances } = options;
  if (entityReference(name).project !== null) {
    throw new UsageError('Cannot delete an imported fleet', {
      why: `${name} belongs to another project`,
      next: `dstack import delete, or: dstack fleet delete NAME --project ${entityReference(name).project}`,
    });
  }
  const { project } = await cli.connect();
  const fleet = await orNotFound(`Fleet ${name}`, 'dstack fleet list', () =>
    project.fleets.get({ name }),
  );
  refuseUnknown(instances, fleet);
  const noun = instances.length === 1 ? 'instance' : 'instances';
  const what =
    instances.length === 0
      ? `the fleet ${name}`
      : `${noun} ${instances.join(', ')} of fleet ${name}`;
  if (!options.yes && !(await cli.prompt.confirm(`Delete ${what}?`))) {
    cli.io.info('Exiting...');
    return;
  }
  await withSpinner(cli.io, `Deleting ${what}...`, () =>
    instances.length === 0
      ? project.fleets.delete([name])
      : project.fleets.deleteInstances(name, instances),
  );
  const subject = what.replace(/^the /, '');
  const verb = instances.length > 1 ? 'are' : 'is';
  cli.io.info(`${subject.charAt(0).toUpperCase()}${subject.slice(1)} ${verb} being deleted`);
}

/** The server ignores numbers that it does not have. */
function refuseUnknown(numbers: readonly number[], fleet: Fleet): void {
  const known = fleet.instances.map((instance) => instance.instance_num);
  const unknown = numbers.find((number) => !known.includes(number));
  if (unknown === undefined) return;
  throw new CliError(`Fleet ${fleet.name} has no instance ${unknown}`, {
    why: known.length === 0 ? 'it has none' : `it has: ${known.join(', ')}`,
    next: 'dstack fleet',
  });
}

function tableOf(fleets: readonly Fleet[], verbose: boolean, project: string, cli: Cli): string {
  const layout = { width: cli.io.width, paint: cli.io.paint };
  return renderFleetTable(fleets, { verbose, project, now: cli.now(), layout });
}

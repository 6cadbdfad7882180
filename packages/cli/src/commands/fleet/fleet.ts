import type { Fleet } from '@dstack/contract/wire';
import type { Command } from 'commander';
import { creationHint } from '../../configuration/load-file.ts';
import type { Cli } from '../../context.ts';
import { CliError, UsageError } from '../../errors.ts';
import { collect, integerOption } from '../../options.ts';
import { showList, showOne } from '../../output/listing.ts';
import {
  addListOptions,
  addOutputOptions,
  type ListOptions,
  listOptions,
  type OutputOptions,
  outputOptions,
} from '../../output/output-options.ts';
import { entityReference, orNotFound } from '../../resource-error.ts';
import { withSpinner } from '../../terminal/live.ts';
import { checkedId } from '../run/run.ts';
import { renderFleetTable } from './fleet-table.ts';

export interface FleetGetOptions extends OutputOptions {
  readonly name: string | null;
  readonly id: string | null;
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
  const fleet = addListOptions(program.command('fleet').description('Manage fleets'));
  fleet.action((options) => run.list(listOptions(options), cli));
  addListOptions(fleet.command('list').description('List fleets')).action((_o, self: Command) =>
    run.list(listOptions(self.optsWithGlobals()), cli),
  );
  addOutputOptions(fleet.command('get').description('Show one fleet'))
    .argument('[name]', 'NAME or PROJECT/NAME')
    .option('--id <uuid>', 'id of the fleet')
    .action((name, o, self: Command) =>
      run.get(
        { name: name ?? null, id: o.id ?? null, ...outputOptions(self.optsWithGlobals()) },
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

export async function runFleetList(options: ListOptions, cli: Cli): Promise<void> {
  const { project } = await cli.connect();
  const listing = {
    ...fleets(project.name, cli),
    load: () => project.fleets.list(),
    document: { project: project.name },
    empty: `No fleets in project ${project.name}. Create one: ${await creationHint(cli.cwd, 'fleet')}`,
  };
  await showList(listing, options, cli);
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
  await showOne(fleet, fleets(project.name, cli), options, cli);
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

function fleets(project: string, cli: Cli) {
  const layout = { width: cli.io.width, paint: cli.io.paint };
  return {
    key: 'fleets',
    name: ({ name, project_name: owner }: Fleet) => (owner === project ? name : `${owner}/${name}`),
    table: (list: readonly Fleet[], verbose: boolean) =>
      renderFleetTable(list, { verbose, project, now: cli.now(), layout }),
  };
}

import type { Volume } from '@dstack/contract/wire';
import type { Command } from 'commander';
import { creationHint } from '../../configuration/load-file.ts';
import type { Cli } from '../../context.ts';
import { showList, showOne } from '../../output/listing.ts';
import {
  addListOptions,
  addOutputOptions,
  type ListOptions,
  listOptions,
  type OutputOptions,
  outputOptions,
} from '../../output/output-options.ts';
import { orNotFound } from '../../resource-error.ts';
import { withSpinner } from '../../terminal/live.ts';
import { renderVolumeTable } from './volume-table.ts';

export function declareVolume(
  program: Command,
  cli: Cli,
  run = { list: runVolumeList, get: runVolumeGet, delete: runVolumeDelete },
): void {
  const volume = addListOptions(program.command('volume').description('Manage volumes'));
  volume.action((options) => run.list(listOptions(options), cli));
  addListOptions(volume.command('list').description('List volumes')).action((_o, self: Command) =>
    run.list(listOptions(self.optsWithGlobals()), cli),
  );
  addOutputOptions(volume.command('get').description('Show one volume').argument('<name>')).action(
    (name, _o, self: Command) => run.get({ name, ...outputOptions(self.optsWithGlobals()) }, cli),
  );
  volume
    .command('delete')
    .description('Delete a volume and its data')
    .argument('<name>')
    .option('-y, --yes', 'do not ask')
    .action((name, options) => run.delete({ name, yes: options.yes ?? false }, cli));
}

export async function runVolumeList(options: ListOptions, cli: Cli): Promise<void> {
  const { project } = await cli.connect();
  const listing = { ...volumes(cli), load: () => project.volumes.list() };
  await showList({ ...listing, ...(await noVolumes(project.name, cli)) }, options, cli);
}

async function noVolumes(project: string, cli: Cli) {
  return {
    document: { project },
    empty: `No volumes in project ${project}. Create one: ${await creationHint(cli.cwd, 'volume')}`,
  };
}

export async function runVolumeGet(
  options: OutputOptions & { name: string },
  cli: Cli,
): Promise<void> {
  const { project } = await cli.connect();
  const volume = await orNotFound(`Volume ${options.name}`, 'dstack volume list', () =>
    project.volumes.get(options.name),
  );
  await showOne(volume, volumes(cli), options, cli);
}

export async function runVolumeDelete(
  { name, yes }: { name: string; yes: boolean },
  cli: Cli,
): Promise<void> {
  const { project } = await cli.connect();
  await orNotFound(`Volume ${name}`, 'dstack volume list', () => project.volumes.get(name));
  if (!yes && !(await cli.prompt.confirm(`Delete the volume ${name}?`))) {
    cli.io.info('Exiting...');
    return;
  }
  await withSpinner(cli.io, 'Deleting volume...', () => project.volumes.delete([name]));
  cli.io.info(`Volume ${name} is being deleted`);
}

function volumes(cli: Cli) {
  const layout = { width: cli.io.width, paint: cli.io.paint };
  return {
    key: 'volumes',
    name: (volume: Volume) => volume.name,
    table: (list: readonly Volume[], verbose: boolean) =>
      renderVolumeTable(list, { verbose, now: cli.now(), layout }),
  };
}

import type { Volume } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { orNotFound } from '../../resource-error.ts';
import { withSpinner } from '../../terminal/live.ts';
import { watchFrames } from '../../terminal/watch.ts';
import { renderVolumeTable } from './volume-table.ts';

export interface VolumeListOptions {
  readonly verbose: boolean;
  readonly watch: boolean;
  readonly json: boolean;
}

export function declareVolume(
  program: Command,
  cli: Cli,
  run = { list: runVolumeList, get: runVolumeGet, delete: runVolumeDelete },
): void {
  const list = (o: Partial<VolumeListOptions>): Promise<void> =>
    run.list({ verbose: o.verbose ?? false, watch: o.watch ?? false, json: o.json ?? false }, cli);
  const withOptions = (command: Command): Command =>
    command
      .option('-v, --verbose', 'show more')
      .option('-w, --watch', 'watch in real time')
      .option('--json', 'print JSON');
  const volume = withOptions(program.command('volume').description('Manage volumes'));
  volume.action((options) => list(options));
  withOptions(volume.command('list').description('List volumes')).action((_o, command: Command) =>
    list(command.optsWithGlobals()),
  );
  volume
    .command('get')
    .description('Show one volume')
    .argument('<name>')
    .option('--json', 'print JSON')
    .action((name, _o, command: Command) =>
      run.get({ name, json: command.optsWithGlobals().json ?? false }, cli),
    );
  volume
    .command('delete')
    .description('Delete a volume and its data')
    .argument('<name>')
    .option('-y, --yes', 'do not ask')
    .action((name, options) => run.delete({ name, yes: options.yes ?? false }, cli));
}

export async function runVolumeList(options: VolumeListOptions, cli: Cli): Promise<void> {
  if (options.watch && options.json)
    throw new UsageError('--watch and --json cannot be used together');
  const { project } = await cli.connect();
  if (options.json) {
    cli.io.json({ project: project.name, volumes: await project.volumes.list() });
    return;
  }
  const frame = async (): Promise<string> =>
    table(await project.volumes.list(), options.verbose, cli);
  if (options.watch) await watchFrames(cli, frame);
  else cli.io.print(await frame());
}

export async function runVolumeGet(
  options: { name: string; json: boolean },
  cli: Cli,
): Promise<void> {
  const { project } = await cli.connect();
  const volume = await orNotFound(`Volume ${options.name}`, 'dstack volume list', () =>
    project.volumes.get(options.name),
  );
  if (options.json) cli.io.json(volume, 2);
  else cli.io.print(table([volume], true, cli));
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

function table(volumes: readonly Volume[], verbose: boolean, cli: Cli): string {
  const layout = { width: cli.io.width, paint: cli.io.paint };
  return renderVolumeTable(volumes, { verbose, now: cli.now(), layout });
}

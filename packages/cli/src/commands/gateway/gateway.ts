import type { Gateway } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { CliError, UsageError } from '../../errors.ts';
import { addFormatOptions, wantsJson } from '../../options.ts';
import { entityReference, orNotFound } from '../../resource-error.ts';
import { withSpinner } from '../../terminal/live.ts';
import { watchFrames } from '../../terminal/watch.ts';
import { renderGatewayTable } from './gateway-table.ts';

export interface GatewayListOptions {
  readonly verbose: boolean;
  readonly watch: boolean;
  readonly json: boolean;
}

export interface GatewayUpdateOptions {
  readonly name: string;
  readonly setDefault: boolean;
  readonly domain: string | null;
}

export function declareGateway(
  program: Command,
  cli: Cli,
  run = {
    list: runGatewayList,
    get: runGatewayGet,
    update: runGatewayUpdate,
    delete: runGatewayDelete,
  },
): void {
  const list = (o: { verbose?: boolean; watch?: boolean; json?: boolean; format?: string }) =>
    run.list({ verbose: o.verbose ?? false, watch: o.watch ?? false, json: wantsJson(o) }, cli);
  const withOptions = (command: Command): Command =>
    addFormatOptions(
      command.option('-v, --verbose', 'show more').option('-w, --watch', 'watch in real time'),
    );
  const gateway = withOptions(program.command('gateway').description('Manage gateways'));
  gateway.action((options) => list(options));
  withOptions(gateway.command('list').description('List gateways')).action((_o, command: Command) =>
    list(command.optsWithGlobals()),
  );
  gateway
    .command('get')
    .description('Show one gateway')
    .argument('<name>', 'NAME or PROJECT/NAME')
    .option('--json', 'print JSON')
    .action((name, _o, command: Command) =>
      run.get({ name, json: command.optsWithGlobals().json ?? false }, cli),
    );
  gateway
    .command('update')
    .description('Change a gateway')
    .argument('<name>', 'NAME or PROJECT/NAME')
    .option('--set-default', 'make it the default of the project')
    .option('--domain <domain>', 'deprecated: set `domain` in the configuration and apply it')
    .action((name, o) =>
      run.update({ name, setDefault: o.setDefault ?? false, domain: o.domain ?? null }, cli),
    );
  gateway
    .command('delete')
    .description('Delete a gateway')
    .argument('<name>')
    .option('-y, --yes', 'do not ask')
    .action((name, options) => run.delete({ name, yes: options.yes ?? false }, cli));
}

export async function runGatewayList(options: GatewayListOptions, cli: Cli): Promise<void> {
  if (options.watch && options.json)
    throw new UsageError('--watch and --json cannot be used together');
  const { project } = await cli.connect();
  if (options.json) {
    cli.io.json({ project: project.name, gateways: await project.gateways.list() });
    return;
  }
  const frame = async (): Promise<string> =>
    table(await project.gateways.list(), options.verbose, project.name, cli);
  if (options.watch) await watchFrames(cli, frame);
  else cli.io.print(await frame());
}

/** Read from the list, so that `default` is the one of the current project. */
export async function runGatewayGet(
  options: { name: string; json: boolean },
  cli: Cli,
): Promise<void> {
  const { project } = await cli.connect();
  const gateway = find(await project.gateways.list(), options.name, project.name);
  if (options.json) cli.io.json(gateway, 2);
  else cli.io.print(table([gateway], true, project.name, cli));
}

export async function runGatewayUpdate(options: GatewayUpdateOptions, cli: Cli): Promise<void> {
  if (!options.setDefault && options.domain === null) {
    throw new UsageError('Nothing to update', { next: 'pass --set-default' });
  }
  const reference = entityReference(options.name);
  const { project } = await cli.connect();
  await withSpinner(cli.io, 'Updating gateway...', async () => {
    if (options.domain !== null) {
      cli.io.warn('--domain is deprecated: set `domain` in the configuration and apply it');
      await project.gateways.setWildcardDomain(reference.name, options.domain);
    }
    if (options.setDefault) await project.gateways.setDefault(reference.name, reference.project);
  });
  const gateway = find(await project.gateways.list(), options.name, project.name);
  cli.io.print(table([gateway], false, project.name, cli));
}

export async function runGatewayDelete(
  { name, yes }: { name: string; yes: boolean },
  cli: Cli,
): Promise<void> {
  if (entityReference(name).project !== null) {
    throw new UsageError('Cannot delete an imported gateway', {
      next: `dstack gateway delete NAME --project ${entityReference(name).project}`,
    });
  }
  const { project } = await cli.connect();
  const gateway = await orNotFound(`Gateway ${name}`, 'dstack gateway list', () =>
    project.gateways.get(name),
  );
  if (!yes) {
    cli.io.print(table([gateway], false, project.name, cli));
    if (!(await cli.prompt.confirm(`Delete the gateway ${name}?`))) {
      cli.io.info('Exiting...');
      return;
    }
  }
  await withSpinner(cli.io, 'Deleting gateway...', () => project.gateways.delete([name]));
  cli.io.info(`Gateway ${name} is being deleted`);
}

function find(gateways: readonly Gateway[], name: string, project: string): Gateway {
  const reference = entityReference(name);
  const owner = reference.project ?? project;
  const found = gateways.find((g) => g.name === reference.name && g.project_name === owner);
  if (found !== undefined) return found;
  throw new CliError(`Gateway ${name} does not exist`, { next: 'dstack gateway list' });
}

function table(gateways: readonly Gateway[], verbose: boolean, project: string, cli: Cli): string {
  const layout = { width: cli.io.width, paint: cli.io.paint };
  return renderGatewayTable(gateways, { verbose, project, now: cli.now(), layout });
}

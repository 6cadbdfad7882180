import type { Gateway } from '@dstack/contract/wire';
import { type Command, Option } from 'commander';
import { creationHint } from '../../configuration/load-file.ts';
import type { Cli } from '../../context.ts';
import { CliError, EXIT, UsageError } from '../../errors.ts';
import { olderFormatOption } from '../../options.ts';
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
import { addressRows, renderAddressTable } from '../../runs/address-table.ts';
import { withSpinner } from '../../terminal/live.ts';
import { renderCertificateTable } from './certificate-table.ts';
import { declareGatewayCertificate } from './certificates.ts';
import { renderGatewayTable } from './gateway-table.ts';
import { declareGatewayLogs } from './logs.ts';

export interface GatewayUpdateOptions {
  readonly name: string;
  readonly setDefault: boolean;
  readonly domain: string | null;
  /** Null: unchanged. */
  readonly forbidNewServices: boolean | null;
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
  const withOptions = (command: Command): Command =>
    addListOptions(command).addOption(olderFormatOption());
  const gateway = withOptions(program.command('gateway').description('Manage gateways'));
  gateway.action((options) => run.list(listOptions(options), cli));
  withOptions(gateway.command('list').description('List gateways')).action((_o, self: Command) =>
    run.list(listOptions(self.optsWithGlobals()), cli),
  );
  addOutputOptions(gateway.command('get').description('Show one gateway'))
    .argument('<name>', 'NAME or PROJECT/NAME')
    .action((name, _o, self: Command) =>
      run.get({ name, ...outputOptions(self.optsWithGlobals()) }, cli),
    );
  gateway
    .command('update')
    .description('Change a gateway')
    .argument('<name>', 'NAME or PROJECT/NAME')
    .option('--set-default', 'make it the default of the project')
    .addOption(
      new Option('--forbid-new-services', 'serve what it has, and refuse other services').conflicts(
        'allowNewServices',
      ),
    )
    .option('--allow-new-services', 'accept other services again')
    .option('--domain <domain>', 'deprecated: set `domain` in the configuration and apply it')
    .action((name, o) =>
      run.update(
        {
          ...{ name, setDefault: o.setDefault ?? false, domain: o.domain ?? null },
          forbidNewServices: o.forbidNewServices ? true : o.allowNewServices ? false : null,
        },
        cli,
      ),
    );
  gateway
    .command('delete')
    .description('Delete a gateway')
    .argument('<name>')
    .option('-y, --yes', 'do not ask')
    .option('--force', 'also with services behind it, which lose their address')
    .action((name, options) =>
      run.delete({ name, yes: options.yes ?? false, force: options.force ?? false }, cli),
    );
  declareGatewayCertificate(gateway, cli, showGateway);
  declareGatewayLogs(gateway, cli);
}

export async function runGatewayList(options: ListOptions, cli: Cli): Promise<void> {
  const { project } = await cli.connect();
  const listing = {
    ...gateways(project.name, cli),
    load: () => project.gateways.list(),
    document: { project: project.name },
    empty: `No gateways in project ${project.name}. Create one: ${await creationHint(cli.cwd, 'gateway')}`,
  };
  await showList(listing, options, cli);
}

/** Read from the list, so that `default` is the one of the current project. */
export async function runGatewayGet(
  options: OutputOptions & { name: string },
  cli: Cli,
): Promise<void> {
  const { client, project } = await cli.connect();
  const gateway = find(await project.gateways.list(), options.name, project.name);
  const { services } = await client.project(gateway.project_name).gateways.get(gateway.name);
  await showGateway({ ...gateway, ...(services && { services }) }, options, cli, project.name);
}

/** The gateway, and below it its services and the certificates of the names that it serves. */
async function showGateway(
  gateway: Gateway,
  options: OutputOptions,
  cli: Cli,
  project = gateway.project_name,
): Promise<void> {
  const shown = gateways(project, cli);
  const layout = { width: cli.io.width, paint: cli.io.paint };
  const rows = (gateway.services ?? []).flatMap(({ project_name: owner, run_name, urls }) =>
    addressRows(owner === project ? run_name : `${owner}/${run_name}`, urls),
  );
  const services = rows.length === 0 ? '' : renderAddressTable(rows, layout);
  const certificates = renderCertificateTable(gateway.certificates ?? [], layout);
  const table = (list: readonly Gateway[], verbose: boolean) =>
    [shown.table(list, verbose), services, certificates].filter((part) => part !== '').join('\n');
  await showOne(gateway, { ...shown, table }, options, cli);
}

export async function runGatewayUpdate(options: GatewayUpdateOptions, cli: Cli): Promise<void> {
  const { forbidNewServices } = options;
  if (!options.setDefault && options.domain === null && forbidNewServices === null) {
    throw new UsageError('Nothing to update', {
      next: 'pass --set-default, --forbid-new-services or --allow-new-services',
    });
  }
  const reference = entityReference(options.name);
  const { project } = await cli.connect();
  await withSpinner(cli.io, 'Updating gateway...', async () => {
    if (options.domain !== null) {
      cli.io.warn('--domain is deprecated: set `domain` in the configuration and apply it');
      await project.gateways.setWildcardDomain(reference.name, options.domain);
    }
    if (forbidNewServices !== null) await setForbidden(options.name, forbidNewServices, cli);
    if (options.setDefault) await project.gateways.setDefault(reference.name, reference.project);
  });
  const gateway = find(await project.gateways.list(), options.name, project.name);
  cli.io.print(gateways(project.name, cli).table([gateway], false));
}

/** Changes nothing else: the server refuses it if another field has changed since it was read. */
async function setForbidden(name: string, forbid_new_services: boolean, cli: Cli): Promise<void> {
  const { project } = await cli.connect();
  const current = find(await project.gateways.list(), name, project.name);
  if (current.project_name !== project.name) {
    throw new UsageError('Cannot change an imported gateway', {
      next: `dstack gateway update ${current.name} --project ${current.project_name}`,
    });
  }
  const configuration = { ...current.configuration, forbid_new_services };
  const spec = { configuration, configuration_path: null };
  await project.gateways.apply({ spec, current_resource: current });
}

export async function runGatewayDelete(
  { name, yes, force }: { name: string; yes: boolean; force: boolean },
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
    cli.io.print(gateways(project.name, cli).table([gateway], false));
    if (!(await cli.prompt.confirm(`Delete the gateway ${name}?`))) {
      cli.io.info('Exiting...');
      return;
    }
  }
  await withSpinner(cli.io, 'Deleting gateway...', () =>
    project.gateways.delete([name], { force }),
  );
  cli.io.info(`Gateway ${name} is being deleted`);
}

function find(gateways: readonly Gateway[], name: string, project: string): Gateway {
  const reference = entityReference(name);
  const owner = reference.project ?? project;
  const found = gateways.find((g) => g.name === reference.name && g.project_name === owner);
  if (found !== undefined) return found;
  const next = 'dstack gateway list';
  throw new CliError(`Gateway ${name} does not exist`, { exitCode: EXIT.notFound, next });
}

function gateways(project: string, cli: Cli) {
  const layout = { width: cli.io.width, paint: cli.io.paint };
  return {
    key: 'gateways',
    name: ({ name, project_name: owner }: Gateway) =>
      owner === undefined || owner === project ? name : `${owner}/${name}`,
    table: (list: readonly Gateway[], verbose: boolean) =>
      renderGatewayTable(list, { verbose, project, now: cli.now(), layout }),
  };
}

import type { UpdateExport } from '@dstack/client';
import type { Export } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { collect } from '../../options.ts';
import { showList } from '../../output/listing.ts';
import {
  addOutputOptions,
  type OutputOptions,
  outputOptions,
} from '../../output/output-options.ts';
import { orNotFound } from '../../resource-error.ts';
import { withSpinner } from '../../terminal/live.ts';
import { renderTable } from '../../terminal/table.ts';

export interface ExportCreateOptions {
  readonly name: string;
  readonly importers: readonly string[];
  readonly fleets: readonly string[];
  readonly gateways: readonly string[];
  readonly global: boolean;
}

export function declareExport(
  program: Command,
  cli: Cli,
  run = {
    list: runExportList,
    create: runExportCreate,
    update: runExportUpdate,
    delete: runExportDelete,
  },
): void {
  const command = addOutputOptions(
    program.command('export').description('Manage exports to other projects'),
  );
  command.action((options) => run.list(outputOptions(options), cli));
  addOutputOptions(command.command('list').description('List exports')).action(
    (_o, self: Command) => run.list(outputOptions(self.optsWithGlobals()), cli),
  );
  command
    .command('create')
    .description('Let other projects use fleets and gateways of this project')
    .argument('<name>')
    .option('--importer <project>', 'project that may use them (repeatable)', collect)
    .option('--fleet <name>', 'fleet to export (repeatable)', collect)
    .option('--gateway <name>', 'gateway to export (repeatable)', collect)
    .option('--global', 'for every project')
    .action((name, o) =>
      run.create(
        {
          name,
          importers: o.importer ?? [],
          fleets: o.fleet ?? [],
          gateways: o.gateway ?? [],
          global: o.global ?? false,
        },
        cli,
      ),
    );
  declareUpdate(command, cli, run.update);
  command
    .command('delete')
    .description('Delete an export')
    .argument('<name>')
    .option('-y, --yes', 'do not ask')
    .action((name, options) => run.delete({ name, yes: options.yes ?? false }, cli));
}

function declareUpdate(parent: Command, cli: Cli, run: typeof runExportUpdate): void {
  const command = parent.command('update').description('Change an export').argument('<name>');
  for (const [flag, placeholder] of [
    ['importer', 'project'],
    ['fleet', 'name'],
    ['gateway', 'name'],
  ]) {
    command
      .option(`--add-${flag} <${placeholder}>`, '(repeatable)', collect)
      .option(`--remove-${flag} <${placeholder}>`, '(repeatable)', collect);
  }
  command
    .option('--set-global', 'for every project')
    .option('--unset-global', 'no longer for every project')
    .action((name, o) =>
      run(
        {
          name,
          set_global: o.setGlobal ?? false,
          unset_global: o.unsetGlobal ?? false,
          add_importer_projects: o.addImporter ?? [],
          remove_importer_projects: o.removeImporter ?? [],
          add_exported_fleets: o.addFleet ?? [],
          remove_exported_fleets: o.removeFleet ?? [],
          add_exported_gateways: o.addGateway ?? [],
          remove_exported_gateways: o.removeGateway ?? [],
        },
        cli,
      ),
    );
}

function table(exports: readonly Export[], cli: Cli): string {
  const names = (list: readonly { name: string }[] | undefined): string =>
    (list ?? []).map((entity) => entity.name).join(', ') || '-';
  const rows = exports.map((e) => [
    { text: e.name, style: 'bold' as const },
    names(e.exported_fleets),
    names(e.exported_gateways),
    e.is_global ? '*' : e.imports.map((i) => i.project_name).join(', ') || '-',
  ]);
  const columns = [
    { header: 'NAME', keep: true },
    { header: 'FLEETS' },
    { header: 'GATEWAYS' },
    { header: 'IMPORTERS' },
  ];
  return renderTable(columns, rows, { width: cli.io.width, paint: cli.io.paint });
}

export async function runExportList(options: OutputOptions, cli: Cli): Promise<void> {
  const { project } = await cli.connect();
  const load = async () => {
    const { exports, warnings } = await project.exports.list();
    for (const warning of warnings) cli.io.warn(warning);
    return exports;
  };
  const listing = {
    key: 'exports',
    load,
    table: (list: readonly Export[]) => table(list, cli),
    name: (item: Export) => item.name,
    document: { project: project.name },
    empty: `Project ${project.name} exports nothing. Export a fleet: dstack export create NAME --fleet FLEET --importer PROJECT`,
  };
  await showList(listing, { ...options, watch: false }, cli);
}

export async function runExportCreate(options: ExportCreateOptions, cli: Cli): Promise<void> {
  const { project } = await cli.connect();
  const created = await withSpinner(cli.io, 'Creating export...', () =>
    project.exports.create({
      name: options.name,
      is_global: options.global,
      importer_projects: options.importers,
      exported_fleets: options.fleets,
      exported_gateways: options.gateways,
    }),
  );
  cli.io.print(table([created], cli));
}

export async function runExportUpdate(options: UpdateExport, cli: Cli): Promise<void> {
  if (options.set_global && options.unset_global) {
    throw new UsageError('--set-global and --unset-global cannot be used together');
  }
  const { project } = await cli.connect();
  const updated = await withSpinner(cli.io, 'Updating export...', () =>
    orNotFound(`Export ${options.name}`, 'dstack export list', () =>
      project.exports.update(options),
    ),
  );
  cli.io.print(table([updated], cli));
}

export async function runExportDelete(
  { name, yes }: { name: string; yes: boolean },
  cli: Cli,
): Promise<void> {
  const { project } = await cli.connect();
  if (!yes && !(await cli.prompt.confirm(`Delete the export ${name}?`))) {
    cli.io.info('Exiting...');
    return;
  }
  await withSpinner(cli.io, 'Deleting export...', () =>
    orNotFound(`Export ${name}`, 'dstack export list', () => project.exports.delete(name)),
  );
  cli.io.info('OK');
}

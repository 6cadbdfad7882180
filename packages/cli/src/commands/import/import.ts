import type { ImportsList } from '@dstack/client';
import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { showList } from '../../output/listing.ts';
import {
  addOutputOptions,
  type OutputOptions,
  outputOptions,
} from '../../output/output-options.ts';
import { entityReference, orNotFound } from '../../resource-error.ts';
import { withSpinner } from '../../terminal/live.ts';
import { renderTable } from '../../terminal/table.ts';

export function declareImport(
  program: Command,
  cli: Cli,
  run = { list: runImportList, delete: runImportDelete },
): void {
  const command = addOutputOptions(
    program.command('import').description('Manage imports from other projects'),
  );
  command.action((options) => run.list(outputOptions(options), cli));
  addOutputOptions(command.command('list').description('List imports')).action(
    (_o, self: Command) => run.list(outputOptions(self.optsWithGlobals()), cli),
  );
  command
    .command('delete')
    .description('Delete an import')
    .argument('<project/export>')
    .option('-y, --yes', 'do not ask')
    .action((name, options) => run.delete({ name, yes: options.yes ?? false }, cli));
}

type Import = ImportsList['imports'][number];

export async function runImportList(options: OutputOptions, cli: Cli): Promise<void> {
  const { project } = await cli.connect();
  const load = async () => {
    const { imports, warnings } = await project.imports.list();
    for (const warning of warnings) cli.io.warn(warning);
    return imports;
  };
  const listing = {
    key: 'imports',
    load,
    table: (list: readonly Import[]) => table(list, cli),
    name: importName,
    document: { project: project.name },
    empty: `Project ${project.name} imports nothing. Another project exports to it: dstack export create NAME --importer ${project.name}`,
  };
  await showList(listing, { ...options, watch: false }, cli);
}

function importName({ export: source }: Import): string {
  return `${source.project_name}/${source.name}`;
}

function table(imports: readonly Import[], cli: Cli): string {
  const names = (list: readonly { name: string }[] | undefined): string =>
    (list ?? []).map((entity) => entity.name).join(', ') || '-';
  const rows = imports.map((item) => [
    { text: importName(item), style: 'bold' as const },
    names(item.export.exported_fleets),
    names(item.export.exported_gateways),
  ]);
  const columns = [{ header: 'NAME', keep: true }, { header: 'FLEETS' }, { header: 'GATEWAYS' }];
  return renderTable(columns, rows, { width: cli.io.width, paint: cli.io.paint });
}

export async function runImportDelete(
  options: { name: string; yes: boolean },
  cli: Cli,
): Promise<void> {
  const { project: exporter, name } = entityReference(options.name);
  if (exporter === null) {
    throw new UsageError(`"${options.name}" is not an import`, { why: 'expected PROJECT/EXPORT' });
  }
  const { project } = await cli.connect();
  if (!options.yes && !(await cli.prompt.confirm(`Delete the import ${options.name}?`))) {
    cli.io.info('Exiting...');
    return;
  }
  await withSpinner(cli.io, 'Deleting import...', () =>
    orNotFound(`Import ${options.name}`, 'dstack import list', () =>
      project.imports.delete(exporter, name),
    ),
  );
  cli.io.info('OK');
}

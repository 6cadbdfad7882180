import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { entityReference, orNotFound } from '../../resource-error.ts';
import { withSpinner } from '../../terminal/live.ts';
import { renderTable } from '../../terminal/table.ts';

export function declareImport(
  program: Command,
  cli: Cli,
  run = { list: runImportList, delete: runImportDelete },
): void {
  const command = program
    .command('import')
    .description('Manage imports from other projects')
    .option('--json', 'print JSON')
    .action((options) => run.list({ json: options.json ?? false }, cli));
  command
    .command('list')
    .description('List imports')
    .option('--json', 'print JSON')
    .action((_o, self: Command) => run.list({ json: self.optsWithGlobals().json ?? false }, cli));
  command
    .command('delete')
    .description('Delete an import')
    .argument('<project/export>')
    .option('-y, --yes', 'do not ask')
    .action((name, options) => run.delete({ name, yes: options.yes ?? false }, cli));
}

export async function runImportList({ json }: { json: boolean }, cli: Cli): Promise<void> {
  const { project } = await cli.connect();
  const { imports, warnings } = await project.imports.list();
  for (const warning of warnings) cli.io.warn(warning);
  if (json) {
    cli.io.json({ project: project.name, imports });
    return;
  }
  const names = (list: readonly { name: string }[] | undefined): string =>
    (list ?? []).map((entity) => entity.name).join(', ') || '-';
  const rows = imports.map(({ export: source }) => [
    { text: `${source.project_name}/${source.name}`, style: 'bold' as const },
    names(source.exported_fleets),
    names(source.exported_gateways),
  ]);
  const columns = [{ header: 'NAME', keep: true }, { header: 'FLEETS' }, { header: 'GATEWAYS' }];
  cli.io.print(renderTable(columns, rows, { width: cli.io.width, paint: cli.io.paint }));
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

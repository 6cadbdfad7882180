import type { BackendCheck } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { CliError, EXIT } from '../../errors.ts';
import { showList } from '../../output/listing.ts';
import {
  addOutputOptions,
  type OutputOptions,
  outputOptions,
} from '../../output/output-options.ts';
import { withSpinner } from '../../terminal/live.ts';
import { renderTable } from '../../terminal/table.ts';
import { declareBackendAdd } from './add.ts';
import { checkTable, hasProblem } from './check-table.ts';

export function declareBackend(
  program: Command,
  cli: Cli,
  run = { list: runBackendList, check: runBackendCheck, delete: runBackendDelete },
): void {
  const backend = addOutputOptions(
    program.command('backend').description('Manage the backends of a project'),
  );
  backend.action((options) => run.list(outputOptions(options), cli));
  addOutputOptions(
    backend.command('list').description('List backends, without their credentials'),
  ).action((_o, self: Command) => run.list(outputOptions(self.optsWithGlobals()), cli));
  declareBackendAdd(backend, cli);
  addOutputOptions(
    backend
      .command('check')
      .description('Ask each backend whether it accepts its credentials and what they lack'),
  )
    .argument('[name]', 'only this one')
    .action((name, _o, self: Command) =>
      run.check({ name: name ?? null, ...outputOptions(self.optsWithGlobals()) }, cli),
    );
  backend
    .command('delete')
    .description('Delete a backend and its credentials')
    .argument('<name>')
    .option('-y, --yes', 'do not ask')
    .action((name, options) => run.delete({ name, yes: options.yes ?? false }, cli));
}

interface Shown {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
}

export async function runBackendList(options: OutputOptions, cli: Cli): Promise<void> {
  const { client, project } = await cli.connect();
  const layout = { width: cli.io.width, paint: cli.io.paint };
  const listing = {
    key: 'backends',
    name: ({ name }: Shown) => name,
    table: (list: readonly Shown[]) =>
      renderTable(
        [{ header: 'BACKEND', keep: true }, { header: 'REGIONS' }],
        list.map(({ name, config }) => [name, regionsText(config.regions)]),
        layout,
      ),
    load: async () => (await client.projects.get(project.name)).backends as readonly Shown[],
    document: { project: project.name },
    empty: `No backends in project ${project.name}. Add one: dstack backend add lambda`,
  };
  await showList<Shown>(listing, { ...options, watch: false }, cli);
}

function regionsText(regions: unknown): string {
  return Array.isArray(regions) && regions.length > 0 ? regions.join(', ') : 'all';
}

export async function runBackendCheck(
  options: OutputOptions & { readonly name: string | null },
  cli: Cli,
): Promise<void> {
  const { project } = await cli.connect();
  const all = await withSpinner(cli.io, 'Asking the backends...', () => project.backends.check());
  const { name } = options;
  const checks = name === null ? all : all.filter(({ backend }) => backend === name);
  if (name !== null && checks.length === 0) throw unknownBackend(name);
  const listing = {
    key: 'backends',
    name: ({ backend }: BackendCheck) => backend,
    table: (list: readonly BackendCheck[]) => checkTable(list, cli),
    load: async () => checks,
    document: { project: project.name },
    empty: `No backends in project ${project.name}. Add one: dstack backend add lambda`,
  };
  await showList<BackendCheck>(listing, { ...options, watch: false }, cli);
  if (checks.some(hasProblem)) cli.setExitCode(EXIT.failed);
}

export async function runBackendDelete(
  { name, yes }: { readonly name: string; readonly yes: boolean },
  cli: Cli,
): Promise<void> {
  const { client, project } = await cli.connect();
  // The server ignores unknown ones.
  const { backends } = await client.projects.get(project.name);
  if (!backends.some((one) => one.name === name)) throw unknownBackend(name);
  const question = `Delete the backend ${name} and its credentials?`;
  if (!yes && !(await cli.prompt.confirm(question))) {
    cli.io.info('Exiting...');
    return;
  }
  await withSpinner(cli.io, 'Deleting backend...', () => project.backends.delete([name]));
  cli.io.info('OK');
}

function unknownBackend(name: string): CliError {
  return new CliError(`The project has no backend ${name}`, {
    exitCode: EXIT.notFound,
    next: 'dstack backend list',
  });
}

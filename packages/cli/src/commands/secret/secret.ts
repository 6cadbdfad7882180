import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { orNotFound } from '../../resource-error.ts';
import { withSpinner } from '../../terminal/live.ts';
import { renderTable } from '../../terminal/table.ts';

export function declareSecret(
  program: Command,
  cli: Cli,
  run = { list: runSecretList, get: runSecretGet, set: runSecretSet, delete: runSecretDelete },
): void {
  const secret = program
    .command('secret')
    .description('Manage secrets')
    .option('--json', 'print JSON')
    .action((options) => run.list({ json: options.json ?? false }, cli));
  secret
    .command('list')
    .description('List secrets (without their values)')
    .option('--json', 'print JSON')
    .action((_o, command: Command) =>
      run.list({ json: command.optsWithGlobals().json ?? false }, cli),
    );
  secret
    .command('get')
    .description('Show a secret with its value')
    .argument('<name>')
    .option('--json', 'print JSON')
    .action((name, _o, command: Command) =>
      run.get({ name, json: command.optsWithGlobals().json ?? false }, cli),
    );
  secret
    .command('set')
    .description('Create or update a secret')
    .argument('<name>')
    .argument('[value]', 'the value; if omitted, it is read from the input')
    .action((name, value) => run.set({ name, value: value ?? null }, cli));
  secret
    .command('delete')
    .description('Delete a secret')
    .argument('<name>')
    .option('-y, --yes', 'do not ask')
    .action((name, options) => run.delete({ name, yes: options.yes ?? false }, cli));
}

type Shown = { readonly name: string; readonly value?: string | null };

function print(secrets: readonly Shown[], cli: Cli): void {
  const rows = secrets.map((s) => [s.name, s.value ?? '******']);
  const layout = { width: cli.io.width, paint: cli.io.paint };
  cli.io.print(renderTable([{ header: 'NAME', keep: true }, { header: 'VALUE' }], rows, layout));
}

export async function runSecretList({ json }: { json: boolean }, cli: Cli): Promise<void> {
  const { project } = await cli.connect();
  const secrets = await project.secrets.list();
  if (json) cli.io.json({ project: project.name, secrets });
  else print(secrets, cli);
}

export async function runSecretGet(
  { name, json }: { name: string; json: boolean },
  cli: Cli,
): Promise<void> {
  const { project } = await cli.connect();
  const secret = await orNotFound(`Secret ${name}`, 'dstack secret list', () =>
    project.secrets.get(name),
  );
  if (json) cli.io.json(secret, 2);
  else print([secret], cli);
}

/** A value on the command line stays in the shell's history; the input does not. */
export async function runSecretSet(
  { name, value }: { name: string; value: string | null },
  cli: Cli,
): Promise<void> {
  if (value === null && cli.io.interactive) cli.io.info(`Value of ${name}, end with Ctrl-D:`);
  const text = value ?? (await cli.prompt.readAll()).replace(/\r?\n$/, '');
  if (text === '') {
    throw new UsageError('The value is empty', {
      next: `dstack secret set ${name} VALUE, or: dstack secret set ${name} < file`,
    });
  }
  const { project } = await cli.connect();
  const { notes = [] } = await project.secrets.set(name, text);
  for (const note of notes) cli.io.info(`note: ${note}`);
  cli.io.info('OK');
}

export async function runSecretDelete(
  { name, yes }: { name: string; yes: boolean },
  cli: Cli,
): Promise<void> {
  const { project } = await cli.connect();
  if (!yes && !(await cli.prompt.confirm(`Delete the secret ${name}?`))) {
    cli.io.info('Exiting...');
    return;
  }
  await withSpinner(cli.io, 'Deleting secret...', () =>
    orNotFound(`Secret ${name}`, 'dstack secret list', () => project.secrets.delete([name])),
  );
  cli.io.info('OK');
}

import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { showList, showOne } from '../../output/listing.ts';
import {
  addOutputOptions,
  type OutputOptions,
  outputOptions,
} from '../../output/output-options.ts';
import { orNotFound } from '../../resource-error.ts';
import { withSpinner } from '../../terminal/live.ts';
import { renderTable } from '../../terminal/table.ts';

const SET_HELP = `
The history of your shell and the list of processes show values on the command line. Better:

  dstack secret set hf_token < file
  pass show hf_token | dstack secret set hf_token
  dstack secret set hf_token                        # type the value, then Ctrl-D`;

export function declareSecret(
  program: Command,
  cli: Cli,
  run = { list: runSecretList, get: runSecretGet, set: runSecretSet, delete: runSecretDelete },
): void {
  const secret = addOutputOptions(program.command('secret').description('Manage secrets'));
  secret.action((options) => run.list(outputOptions(options), cli));
  addOutputOptions(
    secret.command('list').description('List secrets (without their values)'),
  ).action((_o, self: Command) => run.list(outputOptions(self.optsWithGlobals()), cli));
  addOutputOptions(secret.command('get').description('Show a secret with its value'))
    .argument('<name>')
    .action((name, _o, self: Command) =>
      run.get({ name, ...outputOptions(self.optsWithGlobals()) }, cli),
    );
  secret
    .command('set')
    .description('Create or update a secret; without a value, it is read from the input')
    .argument('<name>')
    .argument('[value]', 'the value; stays in the history of the shell, unlike input')
    .addHelpText('after', SET_HELP)
    .action((name, value) => run.set({ name, value: value ?? null }, cli));
  secret
    .command('delete')
    .description('Delete a secret')
    .argument('<name>')
    .option('-y, --yes', 'do not ask')
    .action((name, options) => run.delete({ name, yes: options.yes ?? false }, cli));
}

type Shown = { readonly name: string; readonly value?: string | null };

function secrets(cli: Cli) {
  const layout = { width: cli.io.width, paint: cli.io.paint };
  return {
    key: 'secrets',
    name: (secret: Shown) => secret.name,
    table: (list: readonly Shown[]) =>
      renderTable(
        [{ header: 'NAME', keep: true }, { header: 'VALUE' }],
        list.map((secret) => [secret.name, secret.value ?? '******']),
        layout,
      ),
  };
}

export async function runSecretList(options: OutputOptions, cli: Cli): Promise<void> {
  const { project } = await cli.connect();
  const listing = {
    ...secrets(cli),
    load: () => project.secrets.list(),
    document: { project: project.name },
    empty: `No secrets in project ${project.name}. Create one: dstack secret set NAME`,
  };
  await showList<Shown>(listing, { ...options, watch: false }, cli);
}

export async function runSecretGet(
  options: OutputOptions & { name: string },
  cli: Cli,
): Promise<void> {
  const { project } = await cli.connect();
  const secret = await orNotFound(`Secret ${options.name}`, 'dstack secret list', () =>
    project.secrets.get(options.name),
  );
  await showOne<Shown>(secret, secrets(cli), options, cli);
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
      next: `dstack secret set ${name} < file`,
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

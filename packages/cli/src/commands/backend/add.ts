import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  BACKEND_FORMS,
  type BackendField,
  type BackendForm,
  backendConfiguration,
} from '@dstack/contract/backend-forms';
import { errorMessage } from '@dstack/contract/error-message';
import { type Command, Option } from 'commander';
import type { Cli } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { withSpinner } from '../../terminal/live.ts';
import { hasProblem } from './check-table.ts';

export interface BackendAddOptions {
  /** Null: the file has it. */
  readonly type: string | null;
  /** YAML of one backend, as in the configuration of the server; `-` = the input. */
  readonly file: string | null;
  /** Null: they are asked for. */
  readonly regions: readonly string[] | null;
  /** Replaces the backend that the project has. */
  readonly update: boolean;
}

const HELP = `
Secrets are asked for, and not shown while you type them; they are never options, because the history of your
shell and the list of processes would have them. In scripts each answer is a line of the input:

  pass show lambda | dstack backend add lambda --region us-east-1
  dstack backend add -f backend.yml                 # as in the configuration of the server`;

export function declareBackendAdd(backend: Command, cli: Cli, run = runBackendAdd): void {
  backend
    .command('add')
    .description('Add a backend, after its credentials were accepted')
    .argument('[type]', Object.keys(BACKEND_FORMS).join(', '))
    .addOption(new Option('-f, --file <file>', 'YAML of one backend; - reads the input'))
    .option('--region <region...>', 'only these regions')
    .option('--update', 'replace the credentials and settings of a backend that exists')
    .addHelpText('after', HELP)
    .action((type, { file, region, update }) =>
      run(
        {
          ...{ type: type ?? null, file: file ?? null },
          ...{ regions: region ?? null, update: update ?? false },
        },
        cli,
      ),
    );
}

export async function runBackendAdd(options: BackendAddOptions, cli: Cli): Promise<void> {
  const yaml = await configurationOf(options, cli);
  const { project } = await cli.connect();
  const { backends } = project;
  await withSpinner(cli.io, 'Trying the credentials...', () =>
    options.update ? backends.updateYaml(yaml) : backends.createYaml(yaml),
  );
  cli.io.info('OK');
  // The server stores a backend that the provider has not refused; the user learns what else is wrong.
  const checks = await withSpinner(cli.io, 'Asking the backend...', () => backends.check());
  const mine = checks.filter(({ backend }) => backend === options.type || options.type === null);
  for (const { backend, problem } of mine.filter(hasProblem)) {
    cli.io.warn(`${backend} was stored, but: ${problem ?? 'it does not answer'}`);
  }
}

async function configurationOf(
  { type, file, regions }: BackendAddOptions,
  cli: Cli,
): Promise<string> {
  if (file !== null) return await textOf(file, cli);
  const types = Object.keys(BACKEND_FORMS).join(', ');
  if (type === null) {
    throw new UsageError('Which backend?', { next: 'dstack backend add TYPE', why: types });
  }
  const form = BACKEND_FORMS[type];
  if (form === undefined) {
    throw new UsageError(`There are no questions for a backend ${type}`, {
      why: `known: ${types}`,
      next: 'write it as in the configuration of the server: dstack backend add -f FILE',
    });
  }
  const values = await answersTo(form, regions, cli);
  return JSON.stringify(backendConfiguration(type, values));
}

async function answersTo(
  form: BackendForm,
  regions: readonly string[] | null,
  cli: Cli,
): Promise<Readonly<Record<string, string>>> {
  const { before } = form;
  if (before && cli.io.interactive) cli.io.info(`${before.text} ${before.url}`);
  const values: Record<string, string> = {};
  for (const field of form.fields) {
    if (field.path === REGIONS && regions !== null) values[field.path] = regions.join(',');
    // A script names regions by the option.
    else if (field.optional && !cli.io.interactive) continue;
    else values[field.path] = await answerTo(field, cli);
  }
  return values;
}

const REGIONS = '.regions';

async function answerTo(field: BackendField, cli: Cli): Promise<string> {
  const { label, optional = false, secret = false, lines, hint = '' } = field;
  const isFile = lines !== undefined;
  const about = isFile ? 'path of the file' : optional ? hint.replace(/\.$/, '') : '';
  const question = about === '' ? label : `${label} (${about.toLowerCase()})`;
  for (;;) {
    const answer = (await cli.prompt.ask(question, { isHidden: secret && !isFile })).trim();
    if (answer === '' && !optional) cli.io.info('It must not be empty.');
    else return isFile && answer !== '' ? await textOf(answer, cli) : answer;
  }
}

async function textOf(file: string, cli: Cli): Promise<string> {
  if (file === '-') return await cli.prompt.readAll();
  try {
    return await readFile(resolve(cli.cwd, file), 'utf8');
  } catch (error) {
    throw new UsageError(`The file ${file} cannot be read`, { why: errorMessage(error) });
  }
}

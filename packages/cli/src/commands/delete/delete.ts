import { isRunFinished } from '@dstack/contract/status';
import type { Run } from '@dstack/contract/wire';
import type { Command } from 'commander';
import { type LoadedConfiguration, loadConfiguration } from '../../configuration/load-file.ts';
import { isRunConfiguration } from '../../configuration/types.ts';
import type { Cli, Connection } from '../../context.ts';
import { CliError, UsageError } from '../../errors.ts';
import { orNotFound, orNull } from '../../resource-error.ts';
import { findRun } from '../../runs/get-run.ts';
import { withSpinner } from '../../terminal/live.ts';
import { quotaPlace } from '../quota/place.ts';

export interface DeleteOptions {
  readonly file: string | null;
  readonly yes: boolean;
}

export function declareDelete(program: Command, cli: Cli, run: typeof runDelete = runDelete): void {
  program
    .command('delete')
    .alias('destroy')
    .description('Delete the run, fleet, gateway, volume or quota that a configuration describes')
    .argument('[file]', 'configuration file, as -f')
    .option('-f, --file <file>', 'configuration file (default: .dstack.yml)')
    .option('-y, --yes', 'do not ask')
    .action((word, options) => {
      const file = options.file ?? (word === undefined ? null : positionalFile(word));
      return run({ file, yes: options.yes ?? false }, cli);
    });
}

/** The command deletes what a file describes, not what has a name. */
function positionalFile(word: string): string {
  if (word === '-' || /\.ya?ml$/i.test(word)) return word;
  throw new UsageError(`"${word}" is not a configuration file`, {
    why: 'expected a .yml or .yaml file that describes what to delete',
    next: `dstack stop ${word} ends a run; dstack fleet, volume and gateway have delete of their own`,
  });
}

interface Deletion {
  readonly noun: string;
  readonly find: () => Promise<unknown>;
  readonly delete: () => Promise<void>;
  /** Returns once the entity is deleted; null if the server deletes it in the background. */
  readonly isDeleted: (() => Promise<boolean>) | null;
}

const POLL_MS = 1000;

export async function runDelete(options: DeleteOptions, cli: Cli): Promise<void> {
  const { value, path } = await loadConfiguration(options.file, cli);
  if (value.type === 'quota') {
    const { runDeleteQuota: deleteQuota } = await import('../quota/delete-quota.ts');
    await deleteQuota(await quotaPlace(value, cli), options, cli);
    return;
  }
  const name = value.name ?? null;
  if (name === null) {
    throw new CliError('The configuration has no name', {
      why: `${path} has no name, so there is nothing to delete by`,
      next: 'add `name:` to the file',
    });
  }
  const connection = await cli.connect();
  const deletion = deletionOf(value, name, connection);
  await deletion.find();
  if (!options.yes && !(await cli.prompt.confirm(`Delete the ${deletion.noun} ${name}?`))) {
    cli.io.info('Exiting...');
    return;
  }
  await withSpinner(cli.io, `Deleting ${deletion.noun}...`, async () => {
    await deletion.delete();
    while (deletion.isDeleted !== null && !(await deletion.isDeleted()))
      await cli.wait(POLL_MS, cli.signal);
  });
  const state =
    deletion.isDeleted === null && deletion.noun !== 'run' ? 'is being deleted' : 'deleted';
  cli.io.info(`${deletion.noun.charAt(0).toUpperCase()}${deletion.noun.slice(1)} ${name} ${state}`);
}

function refuseActive(run: Run, name: string): void {
  if (isRunFinished(run.status)) return;
  throw new CliError(`Run ${name} is ${run.status}`, {
    why: 'only runs that have ended can be deleted',
    next: `dstack stop ${name}`,
  });
}

function deletionOf(
  value: LoadedConfiguration['value'],
  name: string,
  connection: Connection,
): Deletion {
  const { project } = connection;
  if (isRunConfiguration(value)) {
    return {
      noun: 'run',
      find: async () => refuseActive(await findRun(connection, name), name),
      delete: () => project.runs.delete([name]),
      isDeleted: null,
    };
  }
  if (value.type === 'fleet') {
    return {
      noun: 'fleet',
      find: () =>
        orNotFound(`Fleet ${name}`, 'dstack fleet list', () => project.fleets.get({ name })),
      delete: () => project.fleets.delete([name]),
      isDeleted: async () => (await orNull(() => project.fleets.get({ name }))) === null,
    };
  }
  const entity = value.type === 'gateway' ? project.gateways : project.volumes;
  const title = value.type === 'gateway' ? 'Gateway' : 'Volume';
  return {
    noun: value.type,
    find: () =>
      orNotFound<unknown>(`${title} ${name}`, `dstack ${value.type} list`, () => entity.get(name)),
    delete: () => entity.delete([name]),
    isDeleted: null,
  };
}

import type { Cli } from '../../context.ts';
import { CancelledError, CliError } from '../../errors.ts';

/** The parts of the server's entry that these commands use. */
export interface ServerBackups {
  readonly backUp: (place: BackupPlace) => Promise<BackupManifest>;
  readonly openRestore: (place: BackupPlace) => Promise<Restore>;
  readonly StartError: new (...args: never[]) => Error & { readonly next: string | null };
}

interface BackupPlace {
  readonly file: string;
  readonly env: NodeJS.ProcessEnv;
  /** Microseconds since the epoch. */
  readonly now: () => number;
  readonly onStep: (step: 'copy' | 'check' | 'write' | 'read') => void;
}

interface BackupManifest {
  readonly version: string;
  readonly created_at: string;
}

interface Restore {
  readonly manifest: BackupManifest;
  readonly lostRuns: readonly string[];
  carryOut(): Promise<readonly string[]>;
  close(): Promise<void>;
}

const NOT_IN_BACKUP =
  'Logs, uploaded files and the agent are not in it; they stay in their folders.';
/** Names that are printed. */
const MOST_NAMES = 5;

export interface BackupOptions {
  readonly file: string;
  readonly json: boolean;
}

export async function runServerBackup(
  { file, json }: BackupOptions,
  load: () => Promise<ServerBackups>,
  cli: Cli,
): Promise<void> {
  const module = await load();
  const manifest = await withCliErrors(module, () => module.backUp(placeOf(file, cli)));
  if (json) {
    const { created_at, version } = manifest;
    return cli.io.print(JSON.stringify({ file, created_at, version }, null, 2));
  }
  cli.io.print(
    `${file} has the database and config.yml, with their keys: keep it in a safe place.`,
  );
  cli.io.info(NOT_IN_BACKUP);
}

export interface RestoreOptions {
  readonly file: string;
  readonly yes: boolean;
  readonly json: boolean;
}

export async function runServerRestore(
  { file, yes, json }: RestoreOptions,
  load: () => Promise<ServerBackups>,
  cli: Cli,
): Promise<void> {
  const { io, prompt } = cli;
  const module = await load();
  const restore = await withCliErrors(module, () => module.openRestore(placeOf(file, cli)));
  try {
    const { created_at, version } = restore.manifest;
    io.info(`${file} was made at ${created_at} by version ${version}.`);
    for (const line of lossOf(restore.lostRuns)) io.info(line);
    if (!yes && !(await prompt.confirm('Replace the database?'))) throw new CancelledError();
    const kept = await withCliErrors(module, () => restore.carryOut());
    if (json) {
      const { lostRuns: lost_runs } = restore;
      const done = { file, created_at, version, lost_runs, kept_files: kept };
      return io.print(JSON.stringify(done, null, 2));
    }
    io.print('The database is restored; start the server.');
    if (kept.length > 0) io.info(`The files before are kept: ${kept.join(', ')}`);
  } finally {
    await restore.close();
  }
}

function lossOf(runs: readonly string[]): string[] {
  const names = runs.slice(0, MOST_NAMES).join(', ');
  const more = runs.length > MOST_NAMES ? ', …' : '';
  const lost =
    runs.length === 0
      ? 'It has all runs of the present database.'
      : `${runs.length === 1 ? '1 run is' : `${runs.length} runs are`} newer and will be lost: ${names}${more}. What still runs of them is stopped.`;
  return [
    lost,
    'All other changes since then are lost too: users, tokens, secrets, fleets, states of runs. Log lines stay.',
  ];
}

const placeOf = (file: string, { env, now, io }: Cli): BackupPlace => ({
  ...{ file, env },
  now: () => now() * MICROS,
  onStep: (step) => io.info(STEPS[step]),
});
const STEPS = {
  copy: 'Copying the database…',
  check: 'Checking the copy…',
  write: 'Writing the file…',
  read: 'Reading the file…',
};
const MICROS = 1000;

async function withCliErrors<T>(module: ServerBackups, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof module.StartError)) throw error;
    throw new CliError(error.message, { next: error.next ?? undefined, cause: error });
  }
}

import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { shellJoin } from '@dstack/contract/shell';
import type { Run } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli, Connection } from '../../context.ts';
import { integerOption } from '../../options.ts';
import { chooseJob, liveRun } from '../../runs/live-run.ts';
import { identityForRun, NoKeyError, requireIdentity } from '../../ssh/identity.ts';
import { renderBlocks, routeTo } from '../../ssh/route.ts';
import { noClient, sshProgram } from '../../ssh/ssh-client.ts';
import { configuredPath } from '../../ssh/ssh-value.ts';

export interface SshOptions {
  readonly run: string;
  /**
   * One argument: a line for the job's shell. Several: a command and its arguments. None: a shell.
   */
  readonly command: readonly string[];
  readonly sshIdentity: string | null;
  /** Allocates a terminal for the command. */
  readonly tty: boolean;
  readonly replica: number | null;
  readonly job: number;
}

export function declareSsh(program: Command, cli: Cli, run: typeof runSsh = runSsh): void {
  program
    .command('ssh')
    .description('Run a command, or a shell, in a run; ends with its exit code')
    .argument('<run>', 'name of the run')
    .argument(
      '[command...]',
      'after --: a command and its arguments, or one argument with a shell line',
    )
    .option('--ssh-identity <file>', 'private SSH key, if the run was submitted with one')
    .option('-t, --tty', 'allocate a terminal for the command')
    .option('--replica <n>', 'number of the replica', integerOption(0))
    .option('--job <n>', 'number of the job in the replica', integerOption(0), 0)
    .action((name, command, o) =>
      run(
        {
          run: name,
          command,
          sshIdentity: o.sshIdentity ?? null,
          tty: o.tty ?? false,
          replica: o.replica ?? null,
          job: o.job,
        },
        cli,
      ),
    );
}

/** Needs no attachment and changes nothing in the user's SSH configuration. */
export async function runSsh(options: SshOptions, cli: Cli): Promise<void> {
  const connection = await cli.connect();
  const run = await liveRun(options.run, connection, cli);
  const job = chooseJob(run, options);
  const identity =
    options.sshIdentity === null
      ? await ownIdentity(run, connection, cli)
      : await requireIdentity(options.sshIdentity, cli);
  if (identity === null) {
    cli.setExitCode(await throughServer(options, job.job_spec, connection, cli));
    return;
  }
  const { blocks, destination } = routeTo(run, job, identity);
  const dir = await mkdtemp(join(tmpdir(), 'dstack-ssh-'));
  try {
    const config = join(dir, 'config');
    // The user's own settings follow ours: they may contain the key for a jump host.
    const include = configuredPath(join(cli.home, '.ssh', 'config'));
    const own = `Host *\n    LogLevel ERROR\n\nInclude ${include}\n`;
    await writeFile(config, renderBlocks(blocks) + own, { mode: 0o600 });
    const terminal = options.tty ? ['-tt'] : [];
    const args = ['-F', config, ...terminal, '--', destination, ...shellLine(options.command)];
    cli.setExitCode(await runInForeground(args, cli));
  } finally {
    await rm(dir, { recursive: true });
  }
}

/** Null: the run does not accept a key of the user. */
async function ownIdentity(run: Run, connection: Connection, cli: Cli): Promise<string | null> {
  try {
    return await identityForRun(run.run_spec.ssh_key_pub, connection, cli);
  } catch (error) {
    if (error instanceof NoKeyError) return null;
    throw error;
  }
}

/** The token may be enough for what the key is missing for: runs of programs and of other users. */
async function throughServer(
  { run, command, tty }: SshOptions,
  { replica_num: replica, job_num: job }: { replica_num: number; job_num: number },
  connection: Connection,
  cli: Cli,
): Promise<number> {
  const { openJobSockets } = await import('../../job-access/job-sockets.ts');
  const { runInJob } = await import('../../job-access/run-in-job.ts');
  const jobs = await openJobSockets(connection, cli);
  const hasTerminal = cli.io.interactive && (tty || command.length === 0);
  const [line] = command;
  const started =
    command.length > 1 ? { argv: command } : line === undefined ? {} : { command: line };
  return runInJob(jobs, { ...started, run, replica, job, hasInput: true, hasTerminal }, cli);
}

/**
 * The line for the job's shell: several arguments are quoted, so that the command receives them
 * unchanged.
 */
export function shellLine(command: readonly string[]): string[] {
  if (command.length <= 1) return [...command];
  return [shellJoin(command)];
}

function runInForeground(args: readonly string[], cli: Cli): Promise<number> {
  // Ctrl-C belongs to the remote program; ssh forwards it or ends because of it.
  const release = cli.onInterrupt(() => {});
  return new Promise<number>((resolve, reject) => {
    const env = { ...cli.env, HOME: cli.home } as NodeJS.ProcessEnv;
    const child = spawn(sshProgram(cli), [...args], { stdio: 'inherit', env });
    child.once('error', (error) => reject(noClient(cli, error)));
    child.once('exit', (code) => resolve(code ?? 255));
  }).finally(release);
}

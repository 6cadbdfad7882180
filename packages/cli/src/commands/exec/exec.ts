import type { Job, Run } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli, Connection } from '../../context.ts';
import { CliError, UsageError } from '../../errors.ts';
import type { OnInterrupt } from '../../interrupts.ts';
import { openJobSockets } from '../../job-access/job-sockets.ts';
import { runInJob } from '../../job-access/run-in-job.ts';
import { integerOption } from '../../options.ts';
import { jobLabel } from '../../runs/job-label.ts';
import { chooseJob, liveRun } from '../../runs/live-run.ts';
import { nodeSink } from '../../runs/node-output.ts';
import { isRunningNow } from '../../runs/run-status.ts';

export interface ExecOptions {
  readonly run: string;
  /** A command and its arguments; empty: a login shell. */
  readonly argv: readonly string[];
  readonly interactive: boolean;
  readonly tty: boolean;
  readonly replica: number | null;
  /** Null: 0. */
  readonly job: number | null;
  /** In every running job. */
  readonly all: boolean;
}

export function declareExec(program: Command, cli: Cli, run: typeof runExec = runExec): void {
  program
    .command('exec')
    .description('Run a command in a job over the API, without SSH; ends with its exit code')
    .argument('<run>', 'name of the run')
    .argument('[command...]', 'after --: a command and its arguments, passed unchanged')
    .option('-i, --interactive', 'pass the standard input to the command')
    .option('-t, --tty', 'give the command a terminal')
    .option('--replica <n>', 'number of the replica', integerOption(0))
    .option('--job <n>', 'number of the job in the replica (default: 0)', integerOption(0))
    .option('--all', 'in every running job; each line of output names its job')
    .action((name, argv, o) =>
      run(
        {
          run: name,
          argv,
          interactive: o.interactive ?? false,
          tty: o.tty ?? false,
          replica: o.replica ?? null,
          job: o.job ?? null,
          all: o.all ?? false,
        },
        cli,
      ),
    );
}

export async function runExec(options: ExecOptions, cli: Cli): Promise<void> {
  requireValid(options, cli);
  const connection = await cli.connect();
  const run = await liveRun(options.run, connection, cli);
  if (options.all) {
    cli.setExitCode(await inAllJobs(run, options, connection, cli));
    return;
  }
  const { replica_num: replica, job_num: job } = chooseJob(run, options).job_spec;
  const jobs = await openJobSockets(connection, cli);
  const isShell = options.argv.length === 0;
  const hasTerminal = options.tty || (isShell && cli.io.interactive);
  const command = {
    run: options.run,
    replica,
    job,
    ...(isShell ? {} : { argv: options.argv }),
    hasInput: options.interactive || isShell || (options.tty && cli.io.interactive),
    hasTerminal,
  };
  cli.setExitCode(await runInJob(jobs, command, cli));
}

function requireValid(
  { run, argv, interactive, tty, all, replica, job }: ExecOptions,
  cli: Cli,
): void {
  if (tty && !cli.io.interactive) {
    throw new UsageError('--tty needs a terminal', {
      why: 'the input is not a terminal',
      next: `dstack exec ${run} -i -- COMMAND`,
    });
  }
  if (!all) return;
  if (argv.length === 0) {
    throw new UsageError('--all needs a command', { next: `dstack exec ${run} --all -- COMMAND` });
  }
  const single = [
    ...(interactive ? ['--interactive'] : []),
    ...(tty ? ['--tty'] : []),
    ...(replica === null ? [] : ['--replica']),
    ...(job === null ? [] : ['--job']),
  ];
  if (single.length > 0) {
    throw new UsageError(`--all and ${single[0]} cannot be used together`);
  }
}

/** The code is that of the first command that failed. */
async function inAllJobs(
  run: Run,
  { argv }: ExecOptions,
  connection: Connection,
  cli: Cli,
): Promise<number> {
  const jobs = run.jobs.filter(isRunningNow);
  const name = run.run_spec.run_name ?? '';
  if (jobs.length === 0) {
    throw new CliError(`Run ${name} has no running job`, { next: `dstack ps --verbose` });
  }
  const sockets = await openJobSockets(connection, cli);
  const { onInterrupt, release } = shared(cli);
  const failures: { readonly job: Job; readonly code: number }[] = [];
  const inJob = async (job: Job): Promise<void> => {
    const { replica_num: replica, job_num: number } = job.job_spec;
    const write = (to: 'out' | 'err') => (bytes: Uint8Array) => cli.io.output(bytes, to);
    const out = nodeSink(job, jobs, write('out'), cli);
    const err = nodeSink(job, jobs, write('err'), cli, 'err');
    const command = { run: name, replica, job: number, argv, hasInput: false, hasTerminal: false };
    const onOutput = (bytes: Uint8Array, isError: boolean) => (isError ? err : out).add(bytes);
    try {
      const code = await runInJob(sockets, { ...command, onOutput }, { ...cli, onInterrupt });
      if (code !== 0) failures.push({ job, code });
    } finally {
      out.end();
      err.end();
    }
  };
  const ended = await Promise.allSettled(jobs.map(inJob));
  release();
  for (const { job, code } of failures) {
    cli.io.info(`${jobLabel(job, jobs) || name} ended with exit code ${code}`);
  }
  for (const one of ended) if (one.status === 'rejected') throw one.reason;
  return failures[0]?.code ?? 0;
}

/** Ctrl-C for all commands; a context's own handlers replace each other. */
function shared(cli: Cli): { onInterrupt: OnInterrupt; release: () => void } {
  const handlers = new Set<Parameters<OnInterrupt>[0]>();
  const release = cli.onInterrupt(
    (signal) => {
      for (const handle of handlers) handle(signal);
    },
    { terminate: true },
  );
  const onInterrupt: OnInterrupt = (handler) => {
    handlers.add(handler);
    return () => handlers.delete(handler);
  };
  return { onInterrupt, release };
}

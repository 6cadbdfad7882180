import { isRunFinished, isRunTerminating } from '@dstack/contract/status';
import type { Job, Run } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { sinceOption } from '../../format/since.ts';
import { collect, integerOption } from '../../options.ts';
import { refuseArray } from '../../runs/array-text.ts';
import { finishedMessage } from '../../runs/finished-message.ts';
import { findRun } from '../../runs/get-run.ts';
import { chooseJob, started } from '../../runs/live-run.ts';
import { nodesBeside, streamNodes } from '../../runs/node-output.ts';
import { outcomeOf } from '../../runs/run-outcome.ts';
import { watchUntil } from '../../runs/watch-until.ts';
import type { Attachment } from '../../ssh/attach-run.ts';

export interface AttachOptions {
  readonly run: string;
  readonly sshIdentity: string | null;
  readonly logs: boolean;
  readonly since: string | null;
  readonly host: string;
  readonly ports: readonly string[];
  readonly replica: number | null;
  /** Null: the first job, and the output of all jobs. */
  readonly job: number | null;
}

export function declareAttach(program: Command, cli: Cli, run: typeof runAttach = runAttach): void {
  program
    .command('attach')
    .description('Attach to a run: forward its ports, enable `ssh <run>`')
    .argument('<run>', 'name of the run')
    .option('--ssh-identity <file>', 'private SSH key, if the run was submitted with one')
    .option('--logs', "show the run's output too, of all nodes if it has several")
    .option('--since <when>', 'with --logs: only output since then')
    .option('--host <host>', 'local address to forward from', 'localhost')
    .option('-p, --port <mapping>', 'local port: 80:8080 or *:8080 (repeatable)', collect)
    .option('--replica <n>', 'number of the replica', integerOption(0))
    .option('--job <n>', 'number of the job in the replica (default: 0)', integerOption(0))
    .action((name, o) =>
      run(
        {
          run: name,
          sshIdentity: o.sshIdentity ?? null,
          logs: o.logs ?? false,
          since: o.since ?? null,
          host: o.host,
          ports: o.port ?? [],
          replica: o.replica ?? null,
          job: o.job ?? null,
        },
        cli,
      ),
    );
}

/** Stays attached until Ctrl-C; with `--logs` until the job has ended. */
export async function runAttach(options: AttachOptions, cli: Cli): Promise<void> {
  if (options.since !== null && !options.logs) {
    throw new UsageError('--since needs --logs');
  }
  const since = options.since === null ? null : await sinceOption(options.since, cli);
  const connection = await cli.connect();
  const found = await findRun(connection, options.run);
  refuseArray(found, `dstack attach ${options.run}-0`);
  const run = await stable(found, connection, cli);
  if (isRunFinished(run.status)) {
    await showFinished(run, options, since, connection, cli);
    return;
  }
  const job = chooseJob(run, options);
  const nodes = nodesOf(run, job, options);
  const { attachRun, describeAttachment } = await import('../../ssh/attach-run.ts');
  const { addNodeHosts } = await import('../../ssh/node-hosts.ts');
  const stop = new AbortController();
  const release = cli.onInterrupt(() => stop.abort(), { terminate: true });
  const attachment = await attachRun({
    run,
    job,
    connection,
    cli,
    bindAddress: options.host,
    portOverrides: options.ports,
    identity: options.sshIdentity,
    signal: stop.signal,
  });
  const others = nodes.filter((node) => node !== job);
  const beside = await addNodeHosts(
    run,
    others,
    { connection, identity: options.sshIdentity },
    cli,
  );
  try {
    const { replica_num: replica, job_num: number } = job.job_spec;
    cli.io.info(`Attached to run ${options.run} (replica=${replica} job=${number})`);
    for (const line of describeAttachment(attachment)) cli.io.info(line);
    const { ide_name: ide, attached_ide_url: link } = job.job_connection_info ?? {};
    // The job prints this link too.
    if (link && !options.logs) cli.io.info(`To open it in ${ide}: ${link}`);
    if (beside.aliases.length > 0)
      cli.io.info(
        `Its other nodes: ${beside.aliases.map((alias) => `\`ssh ${alias}\``).join(', ')}`,
      );
    cli.io.info('Press Ctrl+C to detach...');
    // Only this job's ports are forwarded.
    const write = (bytes: Uint8Array, from: Job) =>
      cli.io.output(from === job ? attachment.rewriteUrls(bytes) : bytes);
    const followed = { run: options.run, jobs: nodes, since, write, attachment };
    if (options.logs) await streamLogs(followed, connection, stop.signal, cli);
    await untilEnded(followed, connection, stop.signal, cli);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    release();
    await beside.close();
    await attachment.close();
  }
  if (stop.signal.aborted) cli.io.info('Detached');
}

type Connection = Awaited<ReturnType<Cli['connect']>>;

/** True once the job has started or ended. Users cannot attach to a job that is about to end. */
async function stable(run: Run, connection: Connection, cli: Cli): Promise<Run> {
  const latest = await started(run, connection, cli);
  if (!isRunTerminating(latest.status)) return latest;
  const name = latest.run_spec.run_name ?? '';
  cli.io.info(`Run ${name} is terminating, waiting for its end...`);
  return watchUntil(connection, name, cli.signal, (r) => isRunFinished(r.status));
}

/** All nodes, unless the user named one. */
function nodesOf(run: Run, job: Job, options: AttachOptions): readonly Job[] {
  return options.job === null ? nodesBeside(run, job) : [job];
}

interface Followed {
  readonly run: string;
  readonly jobs: readonly Job[];
  readonly since: string | null;
  readonly write: (bytes: Uint8Array, job: Job) => void;
  readonly attachment: Pick<Attachment, 'observe'> | null;
}

/**
 * The run has ended, so nothing can be attached: prints its output on request, and how it ended.
 */
async function showFinished(
  run: Run,
  options: AttachOptions,
  since: string | null,
  connection: Connection,
  cli: Cli,
): Promise<void> {
  if (options.logs && run.jobs.length > 0) {
    const job = chooseJob(run, options);
    const write = (bytes: Uint8Array) => cli.io.output(bytes);
    const jobs = nodesOf(run, job, options);
    const followed = { run: options.run, jobs, since, write, attachment: null };
    await streamLogs(followed, connection, cli.signal, cli);
  }
  announceEnd(run, cli);
  if (!options.logs) cli.io.info(`The run has ended; its output: dstack logs ${options.run}`);
}

function announceEnd(run: Run, cli: Cli): void {
  cli.io.info(finishedMessage(run, cli.io.paintErr));
  cli.setExitCode(outcomeOf(run).code);
}

async function streamLogs(
  { run: runName, jobs, since, write }: Followed,
  connection: Connection,
  signal: AbortSignal,
  cli: Cli,
): Promise<void> {
  await streamNodes(connection, jobs, { runName, since, write, signal }, cli);
}

const OUTAGE_PAUSE_MS = 5000;

/**
 * Stays attached while the run lasts. The connection to the job does not need the server, so a
 * server that does not answer is waited for.
 */
async function untilEnded(
  { run: name, attachment }: Followed,
  connection: Connection,
  signal: AbortSignal,
  cli: Cli,
): Promise<void> {
  const { ConnectionError } = await import('@dstack/client');
  for (;;) {
    try {
      const observe = (run: Run): void => attachment?.observe(run);
      const run = await watchUntil(
        connection,
        name,
        signal,
        (r) => isRunFinished(r.status),
        observe,
      );
      announceEnd(run, cli);
      return;
    } catch (error) {
      if (signal.aborted || !(error instanceof ConnectionError)) throw error;
      cli.io.warn('the server does not answer; the attachment stays open until it does');
      await cli.wait(OUTAGE_PAUSE_MS, signal);
    }
  }
}

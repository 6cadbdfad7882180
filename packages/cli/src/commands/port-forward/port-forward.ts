import { isRunFinished } from '@dstack/contract/status';
import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { integerOption } from '../../options.ts';
import { finishedMessage } from '../../runs/finished-message.ts';
import { chooseJob, liveRun } from '../../runs/live-run.ts';
import { watchUntil } from '../../runs/watch-until.ts';

export interface PortForwardOptions {
  readonly run: string;
  readonly ports: readonly string[];
  readonly host: string;
  readonly replica: number | null;
  readonly job: number | null;
}

export function declarePortForward(
  program: Command,
  cli: Cli,
  run: typeof runPortForward = runPortForward,
): void {
  program
    .command('port-forward')
    .description('Forward local ports to ports of a job over the API, without SSH')
    .argument('<run>', 'name of the run')
    .argument('<ports...>', '8080, 80:8080 (local:remote) or *:8080 (any free local port)')
    .option('--host <host>', 'local address to listen on', 'localhost')
    .option('--replica <n>', 'number of the replica', integerOption(0))
    .option('--job <n>', 'number of the job in the replica (default: 0)', integerOption(0))
    .action((name, ports, o) =>
      run({ run: name, ports, host: o.host, replica: o.replica ?? null, job: o.job ?? null }, cli),
    );
}

/** Until Ctrl-C, or until the run has ended. */
export async function runPortForward(options: PortForwardOptions, cli: Cli): Promise<void> {
  const { allocatePorts, parsePortOption } = await import('../../ssh/ports.ts');
  const wanted = options.ports.map(parsePortOption);
  const connection = await cli.connect();
  const run = await liveRun(options.run, connection, cli);
  const { replica_num: replica, job_num: job } = chooseJob(run, options).job_spec;
  const advise = (pair: string) => `dstack port-forward ${options.run} ${pair}`;
  const ports = await allocatePorts(wanted, options.host, advise);
  const { openJobSockets } = await import('../../job-access/job-sockets.ts');
  const { forwardPort } = await import('../../job-access/forward-port.ts');
  const jobs = await openJobSockets(connection, cli);
  const stop = new AbortController();
  const releases = [cli.onInterrupt(() => stop.abort(), { terminate: true })];
  try {
    for (const port of ports) {
      const target = { run: options.run, replica, job, host: options.host };
      releases.push(await forwardPort(jobs, target, port, cli));
      cli.io.info(`Forwarding ${options.host}:${port.local} -> ${port.remote} of ${options.run}`);
    }
    cli.io.info('Press Ctrl+C to stop...');
    const ended = await watchUntil(connection, options.run, stop.signal, (r) =>
      isRunFinished(r.status),
    );
    cli.io.info(finishedMessage(ended, cli.io.paintErr));
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    for (const release of releases) release();
  }
}

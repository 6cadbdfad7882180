/** `dstack gateway logs`: what the replicas of a gateway write themselves. */
import type { GatewayLogEntry, GatewayReplicaLog } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { CliError } from '../../errors.ts';
import { integerOption } from '../../options.ts';
import { outlast, reportAway } from '../../outlast.ts';
import { orNotFound } from '../../resource-error.ts';

export interface GatewayLogsOptions {
  readonly name: string;
  /** Null: all. */
  readonly replica: number | null;
  /** The last lines of each replica. */
  readonly lines: number;
  readonly follow: boolean;
  readonly json: boolean;
}

/** One line of `dstack gateway logs --json`. */
export interface PrintedGatewayLine extends GatewayLogEntry {
  readonly type: 'gateway-log';
  readonly gateway: string;
  readonly replica: number;
}

const POLL_MS = 1000;
/** More lines than one answer has. */
const MOST = 500;

export function declareGatewayLogs(gateway: Command, cli: Cli, run = runGatewayLogs): void {
  gateway
    .command('logs')
    .description('Show what the replicas of a gateway report: its own log, and errors of its nginx')
    .argument('<name>', 'the gateway')
    .option('--replica <n>', 'only of the replica with this number', integerOption(0))
    .option('-n, --lines <n>', 'the last N lines of each replica', integerOption(0, MOST), 100)
    .option('-f, --follow', 'go on with new lines')
    .option('--json', 'print one JSON document for each line')
    .action((name, o, self: Command) =>
      run(
        {
          ...{ name, replica: o.replica ?? null, lines: o.lines, follow: o.follow ?? false },
          // The command above has this option too.
          json: self.optsWithGlobals().json ?? false,
        },
        cli,
      ),
    );
}

export async function runGatewayLogs(options: GatewayLogsOptions, cli: Cli): Promise<void> {
  const { name, replica, lines, follow } = options;
  const { project } = await cli.connect();
  const read = (count: number, after: Readonly<Record<string, string>> | null) =>
    orNotFound(`Gateway ${name}`, 'dstack gateway list', () =>
      project.gateways.logs(name, { replica, lines: count, after }),
    );
  const stop = new AbortController();
  const release = cli.onInterrupt(() => stop.abort());
  const away = new Set<number>();
  const positions: Record<string, string> = {};
  try {
    let { replicas } = await read(lines, null);
    if (replicas.length === 0) {
      throw new CliError(`Gateway ${name} has no replica yet`, { next: 'dstack gateway list -v' });
    }
    for (;;) {
      print(replicas, options, cli, away);
      for (const { replica_num, next } of replicas)
        if (next !== null) positions[replica_num] = next;
      await cli.io.drained();
      if (!follow || stop.signal.aborted) return;
      await cli.wait(POLL_MS, stop.signal).catch(() => undefined);
      if (stop.signal.aborted) return;
      const next = await outlast(cli, () => read(MOST, positions), stop.signal, reportAway(cli));
      if (next === null) return;
      ({ replicas } = next);
    }
  } finally {
    release();
  }
}

/** `away`: replicas that have not answered last time. */
function print(
  replicas: readonly GatewayReplicaLog[],
  { name, json }: GatewayLogsOptions,
  { io }: Cli,
  away: Set<number>,
): void {
  for (const { replica_num, answered, skipped } of replicas) {
    if (answered) away.delete(replica_num);
    else if (!away.has(replica_num)) {
      away.add(replica_num);
      io.info(`Replica ${replica_num} does not answer: see dstack gateway list -v`);
    }
    if (skipped) io.info(`Lines of replica ${replica_num} are missing here: it writes too many`);
  }
  const all = replicas.flatMap(({ replica_num: replica, lines }) =>
    lines.map((line) => ({ replica, ...line })),
  );
  all.sort((a, b) => Date.parse(a.time ?? '') - Date.parse(b.time ?? '') || 0);
  for (const line of all) {
    if (json) {
      io.json({ type: 'gateway-log', gateway: name, ...line } satisfies PrintedGatewayLine);
      continue;
    }
    const of = io.paint('secondary', `${line.time ?? '-'}  replica ${line.replica} ${line.source}`);
    const isBad = !['info', 'notice', 'warn'].includes(line.level);
    const level = isBad ? io.paint('error', line.level) : line.level;
    io.print(`${of}  ${level}  ${line.text}`);
  }
}

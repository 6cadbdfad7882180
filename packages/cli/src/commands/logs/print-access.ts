import { type AccessMessage, NotFoundError } from '@dstack/client';
import type { AccessRecord } from '@dstack/contract/wire';
import type { Cli, Connection } from '../../context.ts';
import { CliError, EXIT } from '../../errors.ts';
import { type AccessFilter, isEverything, isWanted } from './access-filter.ts';
import { ReplicaNumbers } from './replica-numbers.ts';

export interface AccessOptions {
  readonly run: string;
  readonly follow: boolean;
  /** Only the latest N. */
  readonly lines: number | null;
  readonly json: boolean;
  readonly requests: AccessFilter;
}

/** One line of `dstack logs --access --json`. */
export interface PrintedAccess extends AccessRecord {
  readonly type: 'request';
  readonly run: string;
}

/** The requests of a service, as they end. */
export async function printAccess(
  connection: Connection,
  { run, follow, lines, json, requests: filter }: AccessOptions,
  cli: Cli,
): Promise<void> {
  const { io, signal } = cli;
  const numbers = new ReplicaNumbers(connection, run, cli);
  let isFirst = true;
  for await (const message of accessOf(connection, run, follow, signal)) {
    if (message.kind === 'skipped') {
      io.info(`${message.count} requests are missing here: more came than the server keeps`);
      continue;
    }
    if (filter.replica !== null) await numbers.learn(message.requests);
    const requests = message.requests.filter((one) => isWanted(one, numbers.of(one), filter));
    const shown = isFirst && lines !== null ? requests.slice(requests.length - lines) : requests;
    for (const one of lines === 0 && isFirst ? [] : shown) {
      if (json) io.json({ type: 'request', run, ...one } satisfies PrintedAccess);
      else io.print(accessLine(one, cli));
    }
    if (isFirst && requests.length === 0 && !follow) {
      const which = isEverything(filter) ? 'requests' : 'such requests';
      io.info(
        `The server keeps no ${which} of service ${run}. As they come: dstack logs --access -f ${run}`,
      );
    }
    isFirst = false;
    await io.drained();
  }
}

async function* accessOf(
  { project }: Connection,
  run: string,
  follow: boolean,
  signal: AbortSignal,
): AsyncGenerator<AccessMessage, void> {
  try {
    yield* project.services.access(run, { follow }, signal);
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    throw new CliError(`Service ${run} does not exist, or has ended`, {
      exitCode: EXIT.notFound,
      next: 'dstack ps -a',
      cause: error,
    });
  }
}

/** Columns of a fixed width, since later lines are not known. */
function accessLine(record: AccessRecord, { io }: Cli): string {
  const { time, status, ms, method, path, user, address } = record;
  const at = io.paint('secondary', new Date(time).toISOString());
  const took = `${ms < 100 ? ms.toFixed(1) : Math.round(ms)} ms`.padStart(10);
  const who = io.paint('secondary', [user ?? '-', address].join(' '));
  const code = status >= 500 ? io.paint('error', String(status)) : String(status);
  return `${at}  ${code} ${took}  ${method.padEnd(6)} ${path}  ${who}`;
}

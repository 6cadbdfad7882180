import { createServer } from 'node:net';
import { CliError, UsageError } from '../errors.ts';

/** A port of the job as seen from this machine. */
export interface ForwardedPort {
  readonly local: number;
  readonly remote: number;
}

/** What a port is wanted to be here; null = any free one, from the remote number up. */
export interface WantedPort {
  readonly local: number | null;
  readonly remote: number;
}

/** Reads `8080`, `80:8080` and `*:8080`. */
export function parsePort(text: string): WantedPort {
  const match = /^(?:(\d+|\*):)?(\d+)$/.exec(text);
  const remote = Number(match?.[2] ?? 0);
  const given = match?.[1];
  const local = given === '*' ? null : given === undefined ? remote : Number(given);
  const valid = (n: number | null): boolean => n === null || (n >= 1 && n <= 65_535);
  if (match === null || !valid(remote) || !valid(local)) {
    throw new UsageError(`Cannot read the port "${text}"`, {
      why: 'expected PORT, LOCAL:PORT or *:PORT',
    });
  }
  return { local, remote };
}

/** Chooses a local port for each; ports asked for by number have to be free. */
export async function allocatePorts(
  wanted: readonly WantedPort[],
  address: string,
): Promise<ForwardedPort[]> {
  const taken = new Set<number>();
  const result: ForwardedPort[] = [];
  for (const { local, remote } of [...wanted].sort(
    (a, b) => Number(a.local === null) - Number(b.local === null),
  )) {
    const chosen = local === null ? await nextFree(remote, address, taken) : local;
    if (local !== null && (taken.has(local) || !(await isFree(local, address)))) {
      throw new CliError(`Port ${local} is already in use`, {
        why: `the run's port ${remote} is to be forwarded to it`,
        next: `choose another one: -p ${local + 1}:${remote}`,
      });
    }
    taken.add(chosen);
    result.push({ local: chosen, remote });
  }
  return result;
}

async function nextFree(start: number, address: string, taken: Set<number>): Promise<number> {
  // Ports below 1024 need privileges that a user rarely has.
  for (let port = Math.max(start, 1024); port <= 65_535; port += 1) {
    if (!taken.has(port) && (await isFree(port, address))) return port;
  }
  throw new CliError(`No free local port from ${start} up`);
}

function isFree(port: number, address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: address, exclusive: true }, () =>
      server.close(() => resolve(true)),
    );
  });
}

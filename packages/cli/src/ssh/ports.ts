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
  /** The user named it just now: no other one will do. Those of a configuration are wishes. */
  readonly firm: boolean;
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
  return { local, remote, firm: true };
}

/** Chooses a local port for each: the one wished for or the next free one; a firm one has to be free. */
export async function allocatePorts(
  wanted: readonly WantedPort[],
  address: string,
): Promise<ForwardedPort[]> {
  const taken = new Set<number>();
  const result: ForwardedPort[] = [];
  const rank = ({ local, firm }: WantedPort): number => (firm ? 0 : local === null ? 2 : 1);
  for (const { local, remote, firm } of [...wanted].sort((a, b) => rank(a) - rank(b))) {
    if (firm && local !== null) await requireFree(local, remote, address, taken);
    const chosen = firm && local !== null ? local : await nextFree(local ?? remote, address, taken);
    taken.add(chosen);
    result.push({ local: chosen, remote });
  }
  return result;
}

/** Refuses a local port that somebody else listens on, or that needs more rights. */
export async function requireFree(
  local: number,
  remote: number,
  address: string,
  taken: ReadonlySet<number> = new Set(),
): Promise<void> {
  const obstacle = taken.has(local) ? 'EADDRINUSE' : await obstacleAt(local, address);
  if (obstacle === null) return;
  if (obstacle === 'EADDRNOTAVAIL' || obstacle === 'ENOTFOUND') {
    throw new CliError(`Cannot forward ports from ${address}`, {
      why: 'it is no address of this machine',
      next: '--host localhost, or --host 0.0.0.0 for all addresses',
    });
  }
  const used = obstacle === 'EADDRINUSE';
  throw new CliError(used ? `Port ${local} is already in use` : `Cannot listen on port ${local}`, {
    why: `the run's port ${remote} is to be forwarded to it${used ? '' : ` (${obstacle})`}`,
    next: `choose another one: -p ${local < 1024 ? local + 8000 : local + 1}:${remote}`,
  });
}

async function nextFree(start: number, address: string, taken: Set<number>): Promise<number> {
  // Ports below 1024 need privileges that a user rarely has.
  for (let port = Math.max(start, 1024); port <= 65_535; port += 1) {
    if (taken.has(port)) continue;
    const obstacle = await obstacleAt(port, address);
    if (obstacle === null) return port;
    if (obstacle === 'EADDRNOTAVAIL' || obstacle === 'ENOTFOUND') {
      await requireFree(port, port, address);
    }
  }
  throw new CliError(`No free local port from ${start} up`);
}

/** Why nothing can listen there, as the system says it; null if it can. ssh listens on both localhosts. */
async function obstacleAt(port: number, address: string): Promise<string | null> {
  const addresses = address === 'localhost' ? ['127.0.0.1', '::1'] : [address];
  for (const host of addresses) {
    const code = await tryToListen(port, host);
    const absent = code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT';
    if (code !== null && !(absent && host === '::1')) return code;
  }
  return null;
}

function tryToListen(port: number, host: string): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'EADDRINUSE'));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(null)));
  });
}

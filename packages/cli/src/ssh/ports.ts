import { createServer } from 'node:net';
import { CliError, UsageError } from '../errors.ts';

/** A port of the job and its local port. */
export interface ForwardedPort {
  readonly local: number;
  readonly remote: number;
}

/** The requested local port; null = any free one, starting with the remote number. */
export interface WantedPort {
  readonly local: number | null;
  readonly remote: number;
  /**
   * Named on the command line, so no other port may be used. Ports of a configuration are
   * preferences.
   */
  readonly firm: boolean;
}

/** Parses `8080`, `80:8080` and `*:8080`. */
export function parsePortOption(text: string): WantedPort {
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

/** The argument of the command that forwards `LOCAL:PORT`. */
type Advise = (pair: string) => string;

const option: Advise = (pair) => `-p ${pair}`;

/**
 * Chooses a local port for each: the requested one or the next free one. A firm one must be free.
 */
export async function allocatePorts(
  wanted: readonly WantedPort[],
  address: string,
  advise: Advise = option,
): Promise<ForwardedPort[]> {
  const taken = new Set<number>();
  const result: ForwardedPort[] = [];
  const rank = ({ local, firm }: WantedPort): number => (firm ? 0 : local === null ? 2 : 1);
  for (const { local, remote, firm } of [...wanted].sort((a, b) => rank(a) - rank(b))) {
    if (firm && local !== null) await requireFree(local, remote, address, { taken, advise });
    const chosen = firm && local !== null ? local : await nextFree(local ?? remote, address, taken);
    taken.add(chosen);
    result.push({ local: chosen, remote });
  }
  return result;
}

/** Refuses a local port that another program listens on, or that needs more permissions. */
export async function requireFree(
  local: number,
  remote: number,
  address: string,
  more: { readonly taken?: ReadonlySet<number>; readonly advise?: Advise } = {},
): Promise<void> {
  const { taken = new Set(), advise = option } = more;
  const obstacle = taken.has(local) ? 'EADDRINUSE' : await obstacleAt(local, address);
  if (obstacle === null) return;
  if (obstacle === 'EADDRNOTAVAIL' || obstacle === 'ENOTFOUND') {
    throw new CliError(`Cannot forward ports from ${address}`, {
      why: 'it is not an address of this computer',
      next: '--host localhost, or --host 0.0.0.0 for all addresses',
    });
  }
  const used = obstacle === 'EADDRINUSE';
  throw new CliError(used ? `Port ${local} is already in use` : `Cannot listen on port ${local}`, {
    why: `the run's port ${remote} cannot be forwarded to it${used ? '' : ` (${obstacle})`}`,
    next: `choose another one: ${advise(`${local < 1024 ? local + 8000 : local + 1}:${remote}`)}`,
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

/**
 * The system's reason why the port cannot be listened on; null if it can. ssh listens on both
 * localhosts.
 */
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

import { isIP } from 'node:net';
import { isAbsolute } from 'node:path';
import { parseArgs } from 'node:util';
import type { JobUsersOptions } from './process/isolation/job-users.ts';
import type { TunnelAddress } from './protocol/tunnel-listener.ts';

export interface AgentOptions {
  readonly stateDir: string;
  readonly socket: string;
  readonly executor: 'auto' | 'docker' | 'process';
  readonly serverId: string | null;
  readonly takeover: boolean;
  /** Whether to end an agent that runs on this state directory. */
  readonly replace: boolean;
  /** Seconds without a server and a living job after which the agent ends; null = never. */
  readonly exitWhenIdle: number | null;
  /** `authorized_keys` of the user through whom users of jobs reach this host; null = none. */
  readonly authorizedKeys: string | null;
  /** JSON file with variables for the agent's own environment; null = none. */
  readonly environment: string | null;
  /** Gives each process job its own user; null = jobs run as the agent's user. */
  readonly jobUsers: JobUsersOptions | null;
  /** File with the token of this agent; null = "token" in the state directory. */
  readonly tokenFile: string | null;
  /** Where the API is reached too; null = the socket only. */
  readonly tunnel: TunnelAddress | null;
  /**
   * The agent was started in the container of its job: the job gets the environment, the working
   * directory and the home of this container.
   */
  readonly jobContainer: boolean;
}

/** The kernel's limit for a unix socket's path, without the terminating zero. */
const MAX_SOCKET_PATH = 107;

const MAX_PORT = 65_535;

export const USAGE = `usage: main.js --state DIR --socket PATH [options]

  --state DIR               keeps jobs and their results; holds the file "token"
  --socket PATH             unix socket to listen on, at most ${MAX_SOCKET_PATH} bytes
  --executor KIND           auto (Docker where its daemon answers), docker, process
  --server-id ID            the server that this agent works for
  --takeover                even if it has worked for another one
  --replace                 end the agent that runs on this directory; jobs continue
  --exit-when-idle SECONDS  end when no server is connected and no job lives
  --authorized-keys PATH    let users of jobs jump through this host's sshd
  --environment PATH        JSON object of variables for the agent's environment
  --job-uids FIRST-LAST     user ids for process jobs, one each; needs root and --job-homes
  --job-homes DIR           where the files of these users lie; the folder around it is shared by
                            all agents of the machine
  --token-file PATH         file with the token, if it is not in the state directory; %NAME% as below
  --tunnel-port PORT        also serve the API on this port, as HTTP/2 tunnels; 0: any free port
  --tunnel-address IP       where to listen (default: 127.0.0.1; elsewhere with TLS, the token as key)
  --tunnel-file PATH        where to write host and port; %NAME% in it stands for a variable
  --dial-out URL            also open connections for tunnels to this URL (ws:, wss:; with --tunnel-port)
  --job-container           this container is the job's own: use its environment and folders
`;

/** Throws an `Error` with a message for the user. */
export function parseOptions(argv: readonly string[]): AgentOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      state: { type: 'string' },
      socket: { type: 'string' },
      executor: { type: 'string', default: 'auto' },
      'server-id': { type: 'string' },
      takeover: { type: 'boolean', default: false },
      replace: { type: 'boolean', default: false },
      'exit-when-idle': { type: 'string' },
      'authorized-keys': { type: 'string' },
      environment: { type: 'string' },
      'job-uids': { type: 'string' },
      'job-homes': { type: 'string' },
      'token-file': { type: 'string' },
      'tunnel-port': { type: 'string' },
      'tunnel-address': { type: 'string', default: '127.0.0.1' },
      'tunnel-file': { type: 'string' },
      'dial-out': { type: 'string' },
      'job-container': { type: 'boolean', default: false },
    },
  });
  const { state, socket, executor } = values;
  if (!state || !socket) throw new Error('--state and --socket are required');
  if (Buffer.byteLength(socket) > MAX_SOCKET_PATH) {
    throw new Error(`--socket is longer than ${MAX_SOCKET_PATH} bytes; choose a shorter directory`);
  }
  if (executor !== 'auto' && executor !== 'docker' && executor !== 'process') {
    throw new Error(`--executor must be auto, docker or process, not ${executor}`);
  }
  return {
    stateDir: state,
    socket,
    executor,
    serverId: values['server-id'] ?? null,
    takeover: values.takeover,
    replace: values.replace,
    exitWhenIdle: seconds(values['exit-when-idle']),
    authorizedKeys: values['authorized-keys'] ?? null,
    environment: values.environment ?? null,
    jobUsers: jobUsers(values['job-uids'], values['job-homes']),
    tokenFile: withVariables(values['token-file']) ?? null,
    tunnel: tunnel(values),
    jobContainer: values['job-container'],
  };
}

function jobUsers(uids: string | undefined, homes: string | undefined): JobUsersOptions | null {
  if (uids === undefined && homes === undefined) return null;
  if (uids === undefined || homes === undefined || !isAbsolute(homes)) {
    throw new Error('--job-uids and --job-homes (an absolute path) belong together');
  }
  const [, from, to] = /^(\d{1,10})-(\d{1,10})$/.exec(uids) ?? [];
  const [first, last] = [Number(from), Number(to)];
  if (!(first > 0 && first <= last)) {
    throw new Error(`--job-uids must be two user ids such as 61184-65519, not ${uids}`);
  }
  return { uids: { first, last }, homes };
}

interface TunnelValues {
  readonly 'tunnel-port'?: string | undefined;
  readonly 'tunnel-address': string;
  readonly 'tunnel-file'?: string | undefined;
  readonly 'dial-out'?: string | undefined;
}

function tunnel(values: TunnelValues): TunnelAddress | null {
  const { 'tunnel-port': text, 'tunnel-address': address } = values;
  if (text === undefined) return null;
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > MAX_PORT) {
    throw new Error(`--tunnel-port must be a port, not ${text}`);
  }
  if (isIP(address) === 0)
    throw new Error(`--tunnel-address must be an IP address, not ${address}`);
  const [file, dialOut] = [values['tunnel-file'], values['dial-out']].map(withVariables);
  if (dialOut !== undefined && !/^wss?:$/.test(URL.parse(dialOut)?.protocol ?? '')) {
    throw new Error(`--dial-out must be a URL of ws: or wss:, not ${dialOut}`);
  }
  if (dialOut !== undefined && address === '127.0.0.1') {
    throw new Error('--dial-out needs a --tunnel-address with TLS, such as 0.0.0.0');
  }
  return { port, address, file: file ?? null, dialOut: dialOut ?? null };
}

/** `%NAME%` stands for a variable. */
const withVariables = (text: string | undefined): string | undefined =>
  text?.replace(/%(\w+)%/g, (_, name: string) => process.env[name] ?? '');

function seconds(text: string | undefined): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) {
    throw new Error(`--exit-when-idle must be a number of seconds, not ${text}`);
  }
  return value;
}

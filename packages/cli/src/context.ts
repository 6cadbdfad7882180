import type { Client, ClientOptions, ProjectClient } from '@dstack/client';
import type { AnsweredClock } from './answered-clock.ts';
import type { ResolveInput, ServerAddress, ServerLogin } from './config/resolve-server.ts';
import type { OnInterrupt } from './interrupts.ts';
import type { Io } from './terminal/io.ts';
import type { Prompter } from './terminal/prompt.ts';

/** For what belongs to no project. */
export interface ServerConnection {
  readonly address: ServerLogin;
  readonly client: Client;
}

/** A project on a server, with a client for it. */
export interface Connection extends ServerConnection {
  readonly address: ServerAddress;
  readonly project: ProjectClient;
}

/**
 * Everything that commands need from outside. Costly parts are functions, so that `--help` loads
 * none of them.
 */
export interface Cli {
  readonly io: Io;
  readonly prompt: Prompter;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
  /** ms since the epoch: the time of the server, if its answers show that this computer's is wrong. */
  readonly now: () => number;
  /** The same after an answer of the server, which is asked for if there was none. */
  readonly askNow: () => Promise<number>;
  /** ms since the epoch, by the clock of this computer: for its own files. */
  readonly ownNow: () => number;
  /** Aborted by the first Ctrl-C, unless a command handles Ctrl-C itself (see `onInterrupt`). */
  readonly signal: AbortSignal;
  /** Calls `handler` at each Ctrl-C instead, until the returned function is called. */
  readonly onInterrupt: OnInterrupt;
  readonly wait: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** The arguments after the command's name, as given. */
  readonly args: readonly string[];
  /** `--project`. */
  readonly projectOption: string | undefined;
  /** `--debug`. */
  readonly debug: boolean;
  readonly connect: () => Promise<Connection>;
  /** Works like `connect`, also where no project is given. */
  readonly connectToServer: () => Promise<ServerConnection>;
  /** For commands that succeed with an exit code other than 0. */
  readonly setExitCode: (code: number) => void;
}

/** Creates a client for an address. */
export async function clientFor(
  address: { url: string; token: string | null },
  env: Cli['env'],
  more: Pick<ClientOptions, 'webSocket' | 'exchange'> = {},
): Promise<Client> {
  const { createClient } = await import('@dstack/client');
  return createClient({
    url: address.url,
    token: address.token,
    userAgent: 'dstack-cli',
    ...more,
    ...(env.DSTACK_CLIENT_API_VERSION ? { apiVersion: env.DSTACK_CLIENT_API_VERSION } : {}),
  });
}

export interface ConnectInput extends Pick<Cli, 'projectOption' | 'env' | 'home'> {
  /** Receives a line about each request; null: none. */
  readonly log?: ((line: string) => void) | null;
  /** Learns the time of the server from its answers. */
  readonly clock?: AnsweredClock;
}

/** Resolves server and project and connects to them. */
export async function connect(input: ConnectInput): Promise<Connection> {
  const { client, address: login } = await connectToServer(input);
  const address = { ...login, project: login.project ?? (await projectOf(client)) };
  return { address, client, project: client.project(address.project) };
}

export async function connectToServer(input: ConnectInput): Promise<ServerConnection> {
  const { resolveLogin } = await import('./config/resolve-server.ts');
  const address = await resolveLogin(resolveInput(input));
  return { address, client: await loggedClient(address, input) };
}

async function projectOf(client: Client): Promise<string> {
  const { onlyProject } = await import('./config/resolve-server.ts');
  const projects = await client.projects.list({ include_not_joined: false });
  return onlyProject(projects.map(({ project_name: name }) => name));
}

function resolveInput({ projectOption, env, home }: ConnectInput): ResolveInput {
  return { project: projectOption, env, home };
}

async function loggedClient(
  address: ServerLogin,
  { env, log, clock }: ConnectInput,
): Promise<Client> {
  const { nodeExchange } = await import('@dstack/client');
  const watched = clock?.watching(nodeExchange()) ?? nodeExchange();
  const exchange = log ? (await import('./request-log.ts')).loggedExchange(log, watched) : watched;
  return clientFor(address, env, { exchange });
}

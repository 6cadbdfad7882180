import { errorMessage } from '@dstack/contract/error-message';
import type { Job, Run } from '@dstack/contract/wire';
import type { Cli, Connection } from '../context.ts';
import { CliError } from '../errors.ts';
import { currentSubmission } from '../runs/run-status.ts';
import {
  addHostBlocks,
  hasHostBlocks,
  includeInUserConfig,
  removeHostBlocks,
} from './host-config.ts';
import { identityForRun, requireIdentity } from './identity.ts';
import type { Tunnel } from './port-tunnel.ts';
import { allocatePorts, type ForwardedPort, type WantedPort } from './ports.ts';
import { type HostBlock, type Route, routeTo } from './route.ts';
import { findMaster, type Master, OUTPUT_PORT, sharedTunnel } from './shared-master.ts';
import { configuredPath, fixed } from './ssh-value.ts';
import { controlSocket, openTunnel } from './tunnel.ts';
import { lookUpHost } from './user-config.ts';

export interface LinkInput {
  readonly run: Run;
  readonly job: Job;
  readonly connection: Connection;
  readonly cli: Cli;
  readonly bindAddress: string;
  /** `--ssh-identity`. */
  readonly identity: string | null;
  readonly wanted: readonly WantedPort[];
  readonly tries: number;
  readonly signal: AbortSignal;
}

/** One connection to a job, with its entries in the SSH configuration. */
export interface RunLink {
  readonly tunnel: Tunnel;
  readonly ports: readonly ForwardedPort[];
  readonly submissionId: string;
  readonly notices: readonly string[];
  close(): Promise<void>;
}

/** Local port of the job's output for a client of dstack 0.22.5 that joins this connection. */
const OUTPUT: WantedPort = { local: null, remote: OUTPUT_PORT, firm: false };

/** Connects to a job, or joins a connection of another terminal. */
export async function openLink(input: LinkInput): Promise<RunLink> {
  const { run, job, cli } = input;
  const submissionId = currentSubmission(job)?.id ?? '';
  const identity =
    input.identity === null
      ? await identityForRun(run.run_spec.ssh_key_pub, input.connection, cli)
      : await requireIdentity(input.identity, cli);
  const route = await completeRoute(routeTo(run, job, identity), job, cli.home);
  const shared = await sharedLink(input, route, submissionId);
  if (shared !== null) return shared;
  const forwards = await allocatePorts([...input.wanted, OUTPUT], input.bindAddress);
  const ports = forwards.filter(({ remote }) => remote !== OUTPUT_PORT);
  await writable(() => addHostBlocks(cli.home, route.blocks));
  const notices = await includeHosts(route, cli);
  try {
    const { destination } = route;
    const { bindAddress, tries, signal } = input;
    const options = { destination, identity, bindAddress, ports: forwards, tries, signal };
    const tunnel = await openTunnel(options, cli);
    const close = async (): Promise<void> => {
      await tunnel.close();
      await removeUnlessHeld(route, cli);
    };
    return { tunnel, ports, submissionId, notices, close };
  } catch (error) {
    await removeUnlessHeld(route, cli);
    throw error;
  }
}

/** The SSH configuration that reaches a job by its name, and how to remove it. */
export interface RouteEntries {
  close(): Promise<void>;
}

/**
 * Adds the SSH alias of a job without forwarding its ports. Entries of another attachment are kept.
 */
export async function addRoute(
  run: Run,
  job: Job,
  identity: string,
  cli: Cli,
): Promise<RouteEntries> {
  const route = await completeRoute(routeTo(run, job, identity), job, cli.home);
  if (await hasHostBlocks(cli.home, route.blocks)) return { close: async () => {} };
  await writable(() => addHostBlocks(cli.home, route.blocks));
  return { close: () => removeUnlessHeld(route, cli) };
}

/**
 * Another program's connection is usable if it leads to the same job and has the requested
 * forwards.
 */
async function sharedLink(
  input: LinkInput,
  route: Route,
  submissionId: string,
): Promise<RunLink | null> {
  const { cli } = input;
  const master = await findMaster(
    route.destination,
    controlSocket(route.destination, cli.home),
    cli,
  );
  if (master === null || master.leftover) return null;
  if (!(await hasHostBlocks(cli.home, route.blocks)) || !serves(master, input)) return null;
  const tunnel = sharedTunnel(master);
  return { tunnel, ports: master.ports, submissionId, notices: [], close: tunnel.close };
}

function serves(master: Master, { wanted, bindAddress }: LinkInput): boolean {
  if (wanted.length > 0 && master.bindAddress !== bindAddress) return false;
  return wanted.every(({ local, remote, firm }) => {
    const port = master.ports.find((forwarded) => forwarded.remote === remote);
    return port !== undefined && (!firm || local === null || local === port.local);
  });
}

/** Another terminal may still be attached by its own connection. */
async function removeUnlessHeld(route: Route, cli: Cli): Promise<void> {
  const socket = controlSocket(route.destination, cli.home);
  const master = await findMaster(route.destination, socket, cli).catch(() => null);
  if (master === null) await removeHostBlocks(cli.home, route.blocks);
}

/** The user's own configuration has the key for the user's jump host. */
async function completeRoute(route: Route, job: Job, home: string): Promise<Route> {
  const placed = currentSubmission(job)?.job_provisioning_data;
  if (!placed?.ssh_proxy || !placed.dockerized) return route;
  const host = await lookUpHost(placed.ssh_proxy.hostname, home);
  const key = host?.identityFile;
  if (!key) return route;
  const own = { IdentityFile: configuredPath(key), IdentitiesOnly: fixed('yes') };
  const withKey = (block: HostBlock): HostBlock =>
    block.host.endsWith('-jump-host') ? { ...block, options: { ...block.options, ...own } } : block;
  return { ...route, blocks: route.blocks.map(withKey) };
}

async function includeHosts(route: Route, cli: Cli): Promise<string[]> {
  const refused = await includeInUserConfig(cli.home);
  if (refused === null) return [];
  const command = `ssh -F ~/.dstack/ssh/config ${route.destination}`;
  return [`~/.ssh/config could not be changed (${refused}): use \`${command}\``];
}

async function writable(write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    throw new CliError('Cannot write ~/.dstack/ssh/config', {
      why: errorMessage(error),
      next: 'attaching writes this file; `dstack logs -f` and `dstack ssh` do not need it',
      cause: error,
    });
  }
}

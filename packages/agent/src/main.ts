import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errorMessage } from '@dstack/contract/error-message';
import { AgentRunning, endHolder, lockStateDir } from './agent-lock.ts';
import { readEnvironment } from './environment.ts';
import { createEventLogger, type EventLogger } from './host/log.ts';
import { type AgentOptions, parseOptions, USAGE } from './options.ts';
import { Owner } from './owner.ts';
import { closeInheritedFiles } from './process/inherited-files.ts';
import { listenForTunnels, type TunnelListener } from './protocol/tunnel-listener.ts';
import { readToken } from './token-file.ts';

/** Exit codes: 2 = bad arguments, 3 = belongs to another server, 4 = another agent runs. */
const BAD_USAGE = 2;
const FOREIGN_OWNER = 3;
const ALREADY_RUNNING = 4;

async function main(): Promise<void> {
  closeInheritedFiles();
  let options: AgentOptions;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    const message = errorMessage(error);
    process.stderr.write(`error: ${message}\n\n${USAGE}`);
    process.exit(BAD_USAGE);
  }
  if (options.environment !== null)
    Object.assign(process.env, readEnvironment(options.environment));
  const log = createEventLogger((line) => process.stderr.write(line));
  mkdirSync(options.stateDir, { recursive: true, mode: 0o700 });
  closeToOthers(options.stateDir);
  const owner = new Owner(options.stateDir);
  if (options.serverId !== null && !owner.claim(options.serverId, options.takeover)) {
    process.stderr.write(`error: this host belongs to the server ${owner.id}; use --takeover\n`);
    process.exit(FOREIGN_OWNER);
  }
  const unlock = await lock(options);
  const token = readToken(options.tokenFile ?? join(options.stateDir, 'token'));
  const listener = options.tunnel && (await listenForTunnels(options.tunnel, log));
  const ready = Promise.withResolvers<void>();
  const closeTunnels = await serveTunnels(listener, options, { token, ready: ready.promise, log });
  // Loaded only now: a server that waits for the port connects meanwhile.
  const { runAgent } = await import('./run-agent.ts');
  await runAgent({ options, owner, token, log, onListening: ready.resolve });
  closeTunnels();
  unlock();
  process.exit(0);
}

interface Serving {
  readonly token: string;
  /** The agent's socket is open. */
  readonly ready: Promise<void>;
  readonly log: EventLogger;
}

/** Loads what serves the connections that wait at the port. Returns what closes them. */
async function serveTunnels(
  listener: TunnelListener | null,
  { tunnel, socket }: AgentOptions,
  serving: Serving,
): Promise<() => void> {
  if (!(tunnel && listener)) return () => {};
  const { address, dialOut } = tunnel;
  const options = { listener, address, socket, ...serving };
  if (dialOut !== null) {
    return (await import('./protocol/dial-out.ts')).openTunnels({ ...options, dialOut });
  }
  return (await import('./protocol/tunnel-port.ts')).openTunnelPort(options).close;
}

/** No other user may read or write. Jobs of another user may need to pass through. */
function closeToOthers(dir: string): void {
  chmodSync(dir, statSync(dir).mode & 0o711);
}

async function lock(options: AgentOptions): Promise<() => void> {
  try {
    if (options.takeover || options.replace) await endHolder(options.stateDir);
    return lockStateDir(options.stateDir);
  } catch (error) {
    if (!(error instanceof AgentRunning)) throw error;
    process.stderr.write(`error: ${error.message}\n`);
    process.exit(ALREADY_RUNNING);
  }
}

main().catch((error) => {
  process.stderr.write(`error: ${errorMessage(error)}\n`);
  process.exit(1);
});

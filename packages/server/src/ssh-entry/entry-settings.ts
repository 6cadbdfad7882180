import { choiceVariable, integerVariable, type ProcessEnv, SettingsError } from '@dstack/contract';
import { isSshHostName } from '@dstack/contract/ssh';
import type { EntryRoute } from './entry-route.ts';

/** The SSH entry of this server. */
export interface SshEntrySettings {
  readonly listen: { readonly host: string; readonly port: number };
  readonly route: EntryRoute;
}

export interface EntryAddress {
  /** Where the server listens. */
  readonly host: string;
  readonly port: number;
  readonly url: string | null;
}

const PORT = 'DSTACK_SERVER_SSH_PORT';
const HOST = 'DSTACK_SERVER_SSH_HOST';
const LARGEST_PORT = 65_535;

/** Addresses that stand for all interfaces, to which clients cannot connect. */
const ALL_ADDRESSES = new Set(['', '0.0.0.0', '::', '[::]']);

/** Null: there is no entry. */
export function sshEntrySettings(env: ProcessEnv, server: EntryAddress): SshEntrySettings | null {
  const port = integerVariable(env, PORT, 0);
  const jobs = choiceVariable(env, 'DSTACK_SERVER_SSH_JOBS', ['needed', 'all']);
  if (port === 0) return null;
  if (port > LARGEST_PORT) {
    throw new SettingsError(`${PORT} is ${port}; it must be a port from 1 to ${LARGEST_PORT}`);
  }
  if (port === server.port) {
    throw new SettingsError(`${PORT} is ${port}, the port of the API: the SSH entry needs its own`);
  }
  const named = env[HOST] ? addressOf(env[HOST], port) : null;
  const { hostname, port: publicPort } = named ?? { hostname: hostOf(server), port };
  return { listen: { host: server.host, port }, route: { hostname, port: publicPort, jobs } };
}

/** `ssh.example.com`, `ssh.example.com:2222`, `2001:db8::1`, `[2001:db8::1]:22`. */
function addressOf(text: string, fallback: number) {
  if (isSshHostName(text)) return { hostname: text, port: fallback };
  const [, bracketed, plain, digits] =
    /^(?:\[([^\]]{1,100})\]|([^:]{1,253})):(\d{1,5})$/.exec(text) ?? [];
  const hostname = bracketed ?? plain ?? '';
  const port = Number(digits);
  if (isSshHostName(hostname) && port >= 1 && port <= LARGEST_PORT) return { hostname, port };
  throw new SettingsError(
    `${HOST} is ${JSON.stringify(text)}; it must be the host name of the SSH entry, or HOST:PORT`,
  );
}

function hostOf({ host, url }: EntryAddress): string {
  const ofUrl = url !== null && URL.canParse(url) ? new URL(url).hostname : '';
  const hostname = (ofUrl || (ALL_ADDRESSES.has(host) ? '' : host)).replace(/^\[(.*)\]$/, '$1');
  if (isSshHostName(hostname)) return hostname;
  throw new SettingsError(
    `${PORT} is set, but not where clients reach this server: set ${HOST} to a host name, or DSTACK_SERVER_URL`,
  );
}

/** Whether the containers of a provider reach this server, and how. */
import { isIP } from 'node:net';
import { type ProcessEnv, withoutTrailingSlashes } from '@dstack/contract';
import { endpointOf } from '../rest-vm/vm-kind.ts';

/** Where containers fetch the agent, if not from the server itself. */
export const AGENT_URL = 'DSTACK_AGENT_URL';

export type ContainerReach =
  | { readonly dialUrl: string; readonly fetchUrl: string; readonly problem: null }
  | { readonly dialUrl: null; readonly fetchUrl: null; readonly problem: string };

export interface ReachOptions {
  /** Name of the provider for people. */
  readonly title: string;
  /** The URL at which others reach the server; null = it is not known. */
  readonly serverUrl: string | null;
  /** Its API is elsewhere than on the internet, so its containers may be too. */
  readonly isElsewhere: boolean;
}

/** Throws `SettingsError` for an invalid URL of a mirror. */
export function containerReach(env: ProcessEnv, options: ReachOptions): ContainerReach {
  const { title, serverUrl, isElsewhere } = options;
  const mirror = endpointOf(env, AGENT_URL);
  const url = URL.parse(serverUrl ?? '');
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    return refused(`${title} needs a URL of this server that its containers reach`);
  }
  if (!isElsewhere && url.protocol !== 'https:') {
    return refused(
      `the containers of ${title} reach this server over HTTPS only, not ${url.origin}`,
    );
  }
  if (!isElsewhere && isPrivate(url.hostname)) {
    return refused(`the containers of ${title} do not reach ${url.hostname}, a private address`);
  }
  const path = withoutTrailingSlashes(url.pathname);
  return {
    problem: null,
    dialUrl: `${url.protocol.replace('http', 'ws')}//${url.host}${path}`,
    fetchUrl: mirror ?? `${url.origin}${path}`,
  };
}

function refused(why: string): ContainerReach {
  const problem = `${why}: set DSTACK_SERVER_URL to a public URL (https://…)`;
  return { dialUrl: null, fetchUrl: null, problem };
}

/** Names are resolved elsewhere, except those that never leave a network. */
function isPrivate(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) === 4) {
    return /^(?:0|10|127|169\.254|192\.168|172\.(?:1[6-9]|2\d|3[01])|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\./.test(
      host,
    );
  }
  if (isIP(host) === 6) return /^(?:::1?$|f[cd]|fe[89ab])/i.test(host);
  return !host.includes('.') || /\.(?:local|internal|localhost)$/i.test(host);
}

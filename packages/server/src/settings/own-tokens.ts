import type { ServerSettings } from './settings.ts';

/** Tokens that the operator may have chosen. No app may receive one; users' tokens are in the database. */
export function tokensOfSettings({
  adminToken,
  sshProxyToken,
  metrics,
}: Pick<ServerSettings, 'adminToken' | 'sshProxyToken' | 'metrics'>): string[] {
  return [adminToken, sshProxyToken, metrics.token].filter((token) => token !== null);
}

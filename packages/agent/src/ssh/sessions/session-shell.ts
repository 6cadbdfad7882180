import type { SessionAccount, SessionHost } from '../../executor/session-host.ts';

/** Shells of accounts without login. Holders of a key of the job may log in anyway. */
const CLOSED_SHELL = /\/(nologin|false|true|sync)$/;

/** Null if the image has none. */
export async function shellOf(host: SessionHost, account: SessionAccount): Promise<string | null> {
  const own = account.shell && !CLOSED_SHELL.test(account.shell) ? [account.shell] : [];
  for (const shell of [...own, '/bin/bash', '/bin/sh']) {
    if (await host.has(shell)) return shell;
  }
  return null;
}

/** The variables that describe the account. */
export function identityOf(
  { username, home }: SessionAccount,
  shell: string | null,
): Record<string, string> {
  const names: Record<string, string> =
    username === null ? {} : { USER: username, LOGNAME: username };
  return { ...names, HOME: home, ...(shell ? { SHELL: shell } : {}) };
}

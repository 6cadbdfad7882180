import type { SessionAccount, SessionCommand, SessionHost } from '../../executor/session-host.ts';

/** Where distributions install OpenSSH's sftp-server. */
const SERVERS = [
  '/usr/lib/openssh/sftp-server',
  '/usr/libexec/openssh/sftp-server',
  '/usr/lib/ssh/sftp-server',
  '/usr/libexec/sftp-server',
];

/** The job's own program that serves its files to sftp, scp and editors; null if it has none. */
export async function sftpCommand(
  host: SessionHost,
  account: SessionAccount,
  env: Readonly<Record<string, string>>,
): Promise<SessionCommand | null> {
  for (const server of SERVERS) {
    if (await host.has(server)) return { account, argv: [server], env, terminal: null };
  }
  return null;
}

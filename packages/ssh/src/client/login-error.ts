import { HostError, permanent, temporary } from './host-error.ts';

/** Why the login at `where` failed. */
export function loginError(where: string, user: string, error: unknown): HostError {
  if (error instanceof HostError) return error;
  const { level, message } = error as { level?: string; message: string };
  if (level === 'client-authentication') {
    return permanent(
      `${where} refused the login of ${user}: check the user, and that the public key is in its authorized_keys`,
      error,
    );
  }
  if (/privateKey|private key|Unsupported key|SSH has no keys|DECODER/i.test(message)) {
    return permanent(`Unsupported private SSH key type for ${where}: ${message}`, error);
  }
  const why = level === 'client-timeout' ? 'it did not answer within 10 seconds' : whyOf(error);
  return temporary(`${where} cannot be reached over SSH: ${why}`, error);
}

/** Explains an error of the system about a connection, with the cause to look for. */
const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name is not known to this server, check how it is written',
  EAI_AGAIN: 'this server could not look up its name now',
  ECONNREFUSED: 'nothing listens there, check that sshd runs on the host, and its port',
  EHOSTUNREACH: 'this server has no way to it, check the address and that the host is up',
  ENETUNREACH: 'this server has no way to it, check the address and that the host is up',
  ETIMEDOUT: 'it does not answer, check the address, its firewall and that the host is up',
};

function whyOf(error: unknown): string {
  const { code, message } = error as { code?: string; message: string };
  return REASONS[code ?? ''] ?? message;
}

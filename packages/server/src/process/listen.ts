import { once } from 'node:events';
import { createServer } from 'node:net';
import { StartError } from './start-error.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * Listens on the address and returns the URL. `setting`: what changes the port. Throws `StartError` if the address is not available.
 */
export async function listen(
  http: { listen(address: Address): Promise<string> },
  { host, port }: Address,
  setting = '--port',
): Promise<string> {
  return await http.listen({ host, port }).catch((error) => {
    throw refusal(error, { host, port }, setting);
  });
}

/**
 * Throws `StartError` if the address is not available now. Called before anything is created,
 * because the output of a first start (the admin's token) must not be lost to a port in use.
 */
export async function checkAddress({ host, port }: Address, setting = '--port'): Promise<void> {
  const probe = createServer();
  try {
    probe.listen({ host, port });
    await once(probe, 'listening');
  } catch (error) {
    throw refusal(error, { host, port }, setting);
  }
  probe.close();
  await once(probe, 'close');
}

function refusal(error: unknown, { host, port }: Address, setting: string): unknown {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      return new StartError(`port ${port} on ${host} is in use, perhaps by another dstack server`, {
        next: `stop that program, or start this server with another ${setting}`,
        cause: error,
      });
    case 'EACCES':
      return new StartError(`this user may not listen on port ${port}`, {
        next: `start this server with ${setting} and a number above 1023`,
        cause: error,
      });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new StartError(`${host} is not an address of this computer`, {
        next: 'start this server with --host and 127.0.0.1, 0.0.0.0 or an address of this computer',
        cause: error,
      });
    default:
      return error;
  }
}

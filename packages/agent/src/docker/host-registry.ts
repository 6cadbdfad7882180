import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { splitImageName } from '@dstack/contract/image-name';
import { isHostAddress } from '@dstack/ssh/host-address';
import { JobFailure } from '../executor/job-failure.ts';

/** All addresses of a name. Rejects if there are none. */
export type ResolveAll = (host: string) => Promise<readonly string[]>;

const resolveAll: ResolveAll = async (host) =>
  (await lookup(host, { all: true })).map(({ address }) => address);

/**
 * Docker pulls from registries on loopback without TLS, so a job could read what other programs serve
 * there. Throws `JobFailure`.
 */
export async function refuseHostRegistry(
  image: string,
  resolve: ResolveAll = resolveAll,
): Promise<void> {
  const { registryHost } = splitImageName(image);
  if (registryHost === null) return;
  const host = registryHost.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  // Docker resolves the name again and may connect to any of its addresses, so all of them count. It may reach a name
  // that is unknown here by its own proxy, and reports it if it does not.
  const addresses = isIP(host) === 0 ? await resolve(host).catch(() => []) : [host];
  if (!addresses.some((address) => isHostAddress(address))) return;
  const next =
    'name another registry, or let the administrator of the server allow it with DSTACK_SERVER_OUTGOING_ALLOW=loopback';
  throw new JobFailure(
    'creating_container_error',
    `image ${image} was not pulled: ${host} is an address of the server's machine itself; ${next}`,
  );
}

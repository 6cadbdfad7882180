import { splitImageName } from '@dstack/contract/image-name';
import { JobFailure } from '../executor/job-failure.ts';
import { allowedAddress, HostAddressRefused } from '../network/guarded-dial.ts';

/**
 * Docker pulls from registries on loopback without TLS, so a job could read what other programs serve
 * there. Throws `JobFailure`.
 */
export async function refuseHostRegistry(image: string): Promise<void> {
  const { registryHost } = splitImageName(image);
  if (registryHost === null) return;
  const host = registryHost.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  try {
    await allowedAddress(host);
  } catch (error) {
    // Docker may reach a name by its own proxy, and reports it if it does not.
    if (!(error instanceof HostAddressRefused)) return;
    const next =
      'name another registry, or let the administrator of the server allow it with DSTACK_SERVER_OUTGOING_ALLOW=loopback';
    throw new JobFailure(
      'creating_container_error',
      `image ${image} was not pulled: ${host} is an address of the server's machine itself; ${next}`,
    );
  }
}

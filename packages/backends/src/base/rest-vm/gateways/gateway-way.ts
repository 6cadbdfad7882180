/** How machines of gateways are born: as others, but with nginx in place of Docker. */
import { hostKeyOf } from '../host-keys.ts';
import { sshWay } from '../ssh-way.ts';
import { NGINX, userData } from '../user-data.ts';
import type { VmCloud } from '../vm-cloud.ts';
import type { VmWay } from '../vm-way.ts';

/** Without a lease: a gateway serves without the server. */
export function gatewayWay(cloud: VmCloud, secret: string): VmWay {
  return {
    ...sshWay(cloud, secret, null),
    ordered: async ({ authorizedKeys, key }) => ({
      userData: userData({
        ...{ authorizedKeys, hostKey: hostKeyOf(secret, key), leaseSeconds: null },
        ...{ script: NGINX, ...(cloud.firstFiles && { files: cloud.firstFiles }) },
      }),
    }),
  };
}

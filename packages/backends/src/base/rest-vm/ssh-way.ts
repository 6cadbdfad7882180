/** The server logs in to machines over SSH, with the host key that it has given them. */
import type { InstanceOrder } from '../instance-port.ts';
import { hostKeyOf } from './host-keys.ts';
import { KEY_TAG } from './names.ts';
import { startupScript } from './startup-script.ts';
import { userData } from './user-data.ts';
import type { VmCloud } from './vm-cloud.ts';
import type { VmWay } from './vm-way.ts';

const SSH_PORT = 22;

/** `secret`: host keys are derived from it. `leaseSeconds`: the same as in `BackendHost`. */
export function sshWay(
  cloud: Pick<
    VmCloud,
    'loginUser' | 'leaseEnding' | 'firstFiles' | 'firstScript' | 'takesUserData' | 'takesScript'
  >,
  secret: string,
  leaseSeconds: number | null,
): VmWay {
  const { takesUserData = true } = cloud;
  const firstBoot = ({ authorizedKeys, key }: InstanceOrder): string => {
    const common = {
      ...{ authorizedKeys, hostKey: hostKeyOf(secret, key) },
      ...(cloud.firstScript !== undefined && { first: cloud.firstScript }),
    };
    if (cloud.takesScript) return startupScript({ ...common, loginUser: cloud.loginUser });
    return userData({
      ...common,
      leaseSeconds: cloud.leaseEnding === 'poweroff' ? leaseSeconds : null,
      files: cloud.firstFiles ?? [],
    });
  };
  return {
    ordered: async (order) => ({ userData: takesUserData ? firstBoot(order) : '' }),
    reached: ({ address: hostname, privateAddress: internal_ip, loginUser, tags, ...vm }) => {
      if (hostname === null) return null;
      const user = loginUser ?? cloud.loginUser;
      const port = vm.sshPort ?? SSH_PORT;
      const key = takesUserData ? tags[KEY_TAG] : undefined;
      return {
        data: { hostname, internal_ip, username: user, ssh_port: port },
        access: {
          ...{ kind: 'ssh', hostname, port, user },
          hostKey: key === undefined ? null : hostKeyOf(secret, key).blob,
        },
      };
    },
  };
}

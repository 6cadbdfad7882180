/** A simulated account at Lambda behind its real API, with test hosts as machines. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { type Cloud, startCloud, type VmHostOrder, type VmHosts } from '@dstack/testkit/cloud';
import type { TestHost } from '@dstack/testkit/hosts';
import { changeSshd } from './host-kinds.ts';
import { newInstallation } from './installation.ts';

export interface LambdaCloud {
  readonly home: Installation;
  readonly cloud: Cloud;
}

/** The account is in the configuration of the server; the server host is not capacity. */
export async function newLambdaCloud(hosts: VmHosts | null): Promise<LambdaCloud> {
  const cloud = await startCloud({
    personality: 'lambda',
    ...(hosts && { hosts }),
    faults: { boot_seconds: [1, 1], delete_seconds: 1 },
  });
  const home = newInstallation({
    DSTACK_LOCAL_PROJECTS: 'none',
    DSTACK_BACKEND_LAMBDA_ENDPOINT: cloud.url,
  });
  mkdirSync(home.serverDir, { recursive: true });
  const backend = `{type: lambda, creds: {type: api_key, api_key: ${cloud.apiKey}}}`;
  const yaml = `projects:\n- name: main\n  backends:\n  - ${backend}\n`;
  writeFileSync(join(home.serverDir, 'config.yml'), yaml, { mode: 0o600 });
  return { home, cloud };
}

/** Called with each machine as soon as the provider has made it, before its answer is sent. */
export function onLaunch({ account }: Cloud, then: () => void): void {
  const { vms } = account;
  const create = vms.create.bind(vms);
  vms.create = (order) => {
    const vm = create(order);
    then();
    return vm;
  };
}

/** Hosts that become machines one after another; what an earlier machine has left there is removed. */
export function hostsAsVms(hosts: readonly TestHost[]): VmHosts {
  const free = [...hosts];
  const used = new Map<string, TestHost>();
  return {
    async boot(order) {
      const host = free.shift();
      if (!host) throw new Error('no test host is free');
      used.set(order.id, host);
      await setUp(host, order);
      return host.address;
    },
    async end(id) {
      const host = used.get(id);
      if (!host) return;
      used.delete(id);
      await host.crash();
      await host.boot();
      await host.exec(`docker rm -f $(docker ps -aq) >/dev/null 2>&1; ${EMPTY}`);
      free.push(host);
    },
    async reboot(id) {
      await used.get(id)?.crash();
      await used.get(id)?.boot();
    },
  };
}

const EMPTY = 'rm -rf /var/lib/dstack /opt/dstack /run/dstack; true';

/** As cloud-init does with the user data of the order. */
async function setUp(host: TestHost, { loginUser: user, userData }: VmHostOrder): Promise<void> {
  const data = JSON.parse((userData ?? '').replace('#cloud-config\n', '')) as {
    readonly ssh_authorized_keys: readonly string[];
    readonly ssh_keys: { readonly ed25519_private: string };
  };
  const encoded = (text: string) => Buffer.from(text).toString('base64');
  const keys = encoded(`${data.ssh_authorized_keys.join('\n')}\n`);
  const hostKey = encoded(data.ssh_keys.ed25519_private);
  await host.exec(`set -e
id ${user} >/dev/null 2>&1 || useradd -m -s /bin/bash ${user}; usermod -p '*' ${user}
echo '${user} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/${user}; chmod 440 /etc/sudoers.d/${user}
mkdir -p /home/${user}/.ssh; echo ${keys} | base64 -d > /home/${user}/.ssh/authorized_keys
chown -R ${user} /home/${user}/.ssh
echo ${hostKey} | base64 -d > /ssh_host_key; chmod 600 /ssh_host_key`);
  await changeSshd(host, 'true');
}

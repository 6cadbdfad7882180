/**
 * The first boot of a machine, for cloud-init: the machine lets the server in, shows the host key that the
 * server expects, and installs Docker where its image has none. The agent is installed later, over SSH.
 */
import { createHash } from 'node:crypto';
import { HOST_STATE_DIR, LEASE_FILE, type StoredLease } from '@dstack/contract/agent';
import type { HostKeyPair } from './host-keys.ts';
import type { FirstFile } from './vm-cloud.ts';

export interface UserDataOptions {
  /** Public keys that may log in as the image's user, one line each. */
  readonly authorizedKeys: readonly string[];
  readonly hostKey: HostKeyPair;
  /** For a machine whose own power-off ends it; null = it lives until a server ends it. */
  readonly leaseSeconds: number | null;
  /** Installs the programs that jobs need; omitted = it installs Docker, and the toolkit for NVIDIA's GPUs in containers. */
  readonly script?: string;
  readonly files?: readonly FirstFile[];
  /** Runs before the script; omitted: nothing. */
  readonly first?: string;
}

/** A server has this long at least to install the agent, whatever its lease is. */
const LEAST_SECONDS = 3600;
const LOOK_SECONDS = 30;

/** Repeatable; a machine with Docker needs no network for it. */
export const DOCKER = `
if ! command -v docker >/dev/null 2>&1; then
  curl -fsSL https://get.docker.com | sh
fi
if command -v nvidia-smi >/dev/null 2>&1 && ! command -v nvidia-ctk >/dev/null 2>&1; then
  curl -fsSL https://nvidia.github.io/libnvidia-container/gpgkey | gpg --dearmor --yes -o /usr/share/keyrings/nvidia-container-toolkit.gpg
  echo 'deb [signed-by=/usr/share/keyrings/nvidia-container-toolkit.gpg] https://nvidia.github.io/libnvidia-container/stable/deb/$(ARCH) /' > /etc/apt/sources.list.d/nvidia-container-toolkit.list
  apt-get update && apt-get install -y nvidia-container-toolkit
fi
if command -v nvidia-ctk >/dev/null 2>&1 && ! grep -q nvidia /etc/docker/daemon.json 2>/dev/null; then
  nvidia-ctk runtime configure --runtime=docker && systemctl restart docker
fi
`;

/**
 * For machines of gateways, which start an nginx of their own. A machine may boot before it has the address by which
 * it reaches the mirrors.
 */
export const NGINX = `
ln -sfn /dev/null /etc/systemd/system/nginx.service
export DEBIAN_FRONTEND=noninteractive
has_nginx() { [ -x /usr/sbin/nginx ] && [ -e /usr/lib/nginx/modules/ngx_stream_module.so ]; }
until has_nginx; do
  apt-get update -q && apt-get install -y --no-install-recommends nginx-light libnginx-mod-stream
  has_nginx || sleep 5
done
`;

/**
 * The machine is born with a lease, because its server may die before it has installed an agent. Until a server
 * renews that lease, which changes its file, this script of the first boot carries it out; then the agent does.
 */
export function firstLease(seconds: number): string {
  const terms: Omit<StoredLease, 'renewed'> = { seconds, ending: 'poweroff' };
  const file = `${HOST_STATE_DIR}/${LEASE_FILE}`;
  // Scripts of the first boot run beside sshd: a server may have installed the agent before.
  return `
if [ -e ${HOST_STATE_DIR}/token ]; then exit 0; fi
read -r up rest < /proc/uptime
begun=\${up%%.*}
boot=$(cat /proc/sys/kernel/random/boot_id)
lease='${JSON.stringify(terms).slice(0, -1)},"renewed":{"bootId":"'$boot'","seconds":'$begun'}}'
umask 077
mkdir -p ${HOST_STATE_DIR}
printf '%s\\n' "$lease" > ${file}
(
  while [ "$(cat ${file} 2>/dev/null)" = "$lease" ]; do
    read -r up rest < /proc/uptime
    if [ $((\${up%%.*} - begun)) -ge ${seconds} ]; then poweroff || poweroff -ff; fi
    sleep ${Math.min(LOOK_SECONDS, seconds)}
  done
) < /dev/null > /dev/null 2>&1 &
`;
}

/** JSON is YAML, so that no value can change the form of the document. */
export function userData(options: UserDataOptions): string {
  const { authorizedKeys, hostKey, leaseSeconds, script = DOCKER, files = [], first } = options;
  const lease = leaseSeconds === null ? [] : [firstLease(Math.max(LEAST_SECONDS, leaseSeconds))];
  const scripts = [...lease, ...(first === undefined ? [] : [first]), script];
  const document = {
    ssh_authorized_keys: authorizedKeys.map((key) => key.trim()),
    ssh_deletekeys: true,
    ssh_genkeytypes: [],
    ssh_keys: { ed25519_private: hostKey.privateKey, ed25519_public: hostKey.publicKey },
    ...(files.length > 0 && { write_files: files }),
    runcmd: scripts.map((script) => ['sh', '-c', script]),
  };
  return `#cloud-config\n${JSON.stringify(document, null, 1)}\n`;
}

/** The key of the project, for accounts that need one although user data has all. */
export function firstKey({ authorizedKeys }: Pick<UserDataOptions, 'authorizedKeys'>): string {
  return authorizedKeys[0]?.trim() ?? '';
}

/** A name for a public key in an account: the same for the same key. */
export function keyName(publicKey: string): string {
  const [type = '', body = ''] = publicKey.trim().split(/\s+/);
  return `dstack-${createHash('sha256').update(`${type} ${body}`).digest('hex').slice(0, 16)}`;
}

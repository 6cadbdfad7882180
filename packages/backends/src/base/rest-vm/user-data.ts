/**
 * The first boot of a machine, for cloud-init: the machine lets the server in, shows the host key that the
 * server expects, and installs Docker where its image has none. The agent is installed later, over SSH.
 */
import { createHash } from 'node:crypto';
import type { HostKeyPair } from './host-keys.ts';

export interface UserDataOptions {
  /** Public keys that may log in as the image's user, one line each. */
  readonly authorizedKeys: readonly string[];
  readonly hostKey: HostKeyPair;
}

/** Repeatable; a machine with Docker needs no network for it. */
const DOCKER = `
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

/** JSON is YAML, so that no value can change the form of the document. */
export function userData({ authorizedKeys, hostKey }: UserDataOptions): string {
  const document = {
    ssh_authorized_keys: authorizedKeys.map((key) => key.trim()),
    ssh_deletekeys: true,
    ssh_genkeytypes: [],
    ssh_keys: { ed25519_private: hostKey.privateKey, ed25519_public: hostKey.publicKey },
    runcmd: [['sh', '-c', DOCKER]],
  };
  return `#cloud-config\n${JSON.stringify(document, null, 1)}\n`;
}

/** A name for a public key in an account: the same for the same key. */
export function keyName(publicKey: string): string {
  const [type = '', body = ''] = publicKey.trim().split(/\s+/);
  return `dstack-${createHash('sha256').update(`${type} ${body}`).digest('hex').slice(0, 16)}`;
}

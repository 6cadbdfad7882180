import type { JobSSHKey } from '@dstack/contract/wire';
import ssh2 from 'ssh2';

/** The pair with which the nodes of one submission log into each other. */
export function newNodeKey(): JobSSHKey {
  const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment: 'dstack-job' });
  return { private: pair.private, public: pair.public };
}

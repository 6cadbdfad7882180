import type { JobSSHKey } from '@dstack/contract/wire';
import type { Cipher } from '@dstack/store';
import ssh2 from 'ssh2';

/**
 * The pair with which the nodes of one submission log into each other, as a job's spec holds it: the
 * private key is encrypted.
 */
export function newNodeKey(cipher: Cipher): JobSSHKey {
  const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment: 'dstack-job' });
  return { private: cipher.encrypt(pair.private), public: pair.public };
}

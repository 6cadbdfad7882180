/** Claims on the tag of a server: resource policies, whose description has what other providers keep as a key. */
import type { Claims } from '../base/port.ts';
import { type KeyOfAccount, keyClaims } from '../base/rest-vm/key-claims.ts';
import type { ResourcePolicies } from './resource-policies.ts';

/**
 * One place for all installations of a project, whatever their regions: only one that sees the claims of all may end
 * machines.
 */
const REGION = 'us-central1';

export function gcpClaims(policies: ResourcePolicies): Claims {
  return keyClaims({
    ...{ title: 'GCP', what: 'resource policy' },
    list: async () => {
      const { policies: found, time } = await policies.timed(REGION);
      const keys = found.map(
        ({ name, description = '' }): KeyOfAccount => ({ id: name, name, publicKey: description }),
      );
      return { keys, time };
    },
    add: (name, publicKey) => policies.insert(REGION, name, publicKey),
    remove: (name) => policies.delete(REGION, name),
  });
}

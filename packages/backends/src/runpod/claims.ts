/** Claims of servers as stored credentials of no registry: only their names can be read, which hold the claims. */
import { errorMessage } from '@dstack/contract/error-message';
import type { Claims } from '../base/port.ts';
import { keyClaims } from '../base/rest-vm/key-claims.ts';
import type { RunpodApi } from './api.ts';

const PREFIX = 'dstack-claim_';
/** The login of no registry, so that no pod can use it. */
const LOGIN = { username: 'dstack', password: 'claim' };

export function runpodClaims(
  api: Pick<RunpodApi, 'timedRegistries' | 'createRegistry' | 'deleteRegistry'>,
  isMissing: (text: string) => boolean,
): Claims {
  return keyClaims({
    ...{ title: 'RunPod', what: 'stored credential' },
    list: async () => {
      const { registries, time } = await api.timedRegistries();
      const claims = registries.filter(({ name }) => name.startsWith(PREFIX));
      return { time, keys: claims.map(({ id, name }) => ({ id, name, publicKey: keyOf(name) })) };
    },
    add: async (_, publicKey) => {
      await api.createRegistry({ name: nameOf(publicKey), ...LOGIN });
    },
    remove: async (id) => {
      await api.deleteRegistry(id).catch((error: unknown) => {
        if (!isMissing(errorMessage(error))) throw error;
      });
    },
  });
}

/** The comment of the key, in characters of names. */
const nameOf = (publicKey: string): string =>
  (publicKey.trim().split(/\s+/)[2] ?? '').replaceAll(':', '_');

const keyOf = (name: string): string => `- - ${name.replaceAll('_', ':')}`;

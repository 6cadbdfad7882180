import type { Store } from '@dstack/store';
import { descriptorOfKey, intentDescriptor } from './intents/index.ts';

export interface EffectOwnerOptions {
  readonly store: Store;
  readonly hosts: { isElsewhere(hostId: string): Promise<boolean> };
}

/**
 * Whether this server should carry out an announced effect. The server with the link to a host
 * carries out the effects on that host; a new link announces them again to all servers. Effects of a
 * kind that a newer server has announced are left to it.
 */
export function effectIsOurs({ store, hosts }: EffectOwnerOptions) {
  return async (key: string): Promise<boolean> => {
    if (descriptorOfKey(key) === null) return false;
    if (!store.shared) return true;
    const intent = await store.engine.announcedIntent(key);
    const hostId = intent && (await intentDescriptor(intent.kind).hostOf(store, intent));
    return !hostId || !(await hosts.isElsewhere(hostId));
  };
}

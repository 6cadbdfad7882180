import type { Store } from '@dstack/store';
import { intentDescriptor } from './intents/index.ts';

export interface EffectOwnerOptions {
  readonly store: Store;
  readonly hosts: { isElsewhere(hostId: string): Promise<boolean> };
}

/**
 * Whether this server should carry out an announced effect. The server with the link to a host
 * carries out the effects on that host; a new link announces them again to all servers.
 */
export function effectIsOurs({ store, hosts }: EffectOwnerOptions) {
  return async (key: string): Promise<boolean> => {
    if (!store.shared) return true;
    const intent = await store.engine.announcedIntent(key);
    const hostId = intent && (await intentDescriptor(intent.kind).hostOf(store, intent));
    return !hostId || !(await hosts.isElsewhere(hostId));
  };
}

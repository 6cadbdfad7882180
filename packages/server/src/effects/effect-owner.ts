import type { Store } from '@dstack/store';
import { intentDescriptor } from './intents/index.ts';

export interface EffectOwnerOptions {
  readonly store: Store;
  readonly hosts: { isElsewhere(hostId: string): Promise<boolean> };
}

/**
 * Whether an announced effect is this server's to carry out. What concerns a host is left to the
 * server that is linked to it; it is announced again to all when a link comes up.
 */
export function effectIsOurs({ store, hosts }: EffectOwnerOptions) {
  return async (key: string): Promise<boolean> => {
    if (!store.shared) return true;
    const intent = await store.engine.announcedIntent(key);
    const hostId = intent && (await intentDescriptor(intent.kind).hostOf(store, intent));
    return !hostId || !(await hosts.isElsewhere(hostId));
  };
}

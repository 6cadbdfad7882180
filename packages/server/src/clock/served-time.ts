import type { Store } from '@dstack/store';
import type { OutageWatchOptions, ServedTime } from './outage-watch.ts';

const KEY = 'served';

/** Where the database holds when servers worked on it. */
export function servedTime({
  meta,
  shared,
}: Pick<Store, 'meta' | 'shared'>): Pick<
  OutageWatchOptions,
  'load' | 'save' | 'isNew' | 'isShared'
> {
  return {
    isShared: shared,
    load: async () => {
      const text = await meta.get(KEY);
      return text === null ? null : (JSON.parse(text) as ServedTime);
    },
    isNew: async () => (await meta.get('server_id')) === null,
    save: (served) => meta.set(KEY, JSON.stringify(served)),
  };
}

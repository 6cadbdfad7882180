import type { StoreContext } from '../context/context.ts';
import type { ChangeNotifier } from './change-notifier.ts';
import { loadEvents, selectEvents } from './list-events.ts';
import type { Events } from './types.ts';

export function createEvents(context: StoreContext, written: ChangeNotifier): Events {
  const { db } = context;
  return {
    list: (filter) => selectEvents(db, filter),
    byIds: (ids) => loadEvents(db, ids),
    onWritten: (listener) => written.onChange(listener),
    write: (events) => context.write(async ({ add }) => add({ events })),
  };
}

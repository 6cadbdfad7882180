import type { IntentRecord, Signal } from '@dstack/core';
import type { Store } from '@dstack/store';

/** The common part of effects on a group: every server can reach the backends. */
export const ON_GROUP = {
  subject: 'group',
  queue: 'machine',
  mayCancel: false,
  hostOf: async () => null,
  wakes: async (_: Store, { subjectId: id }: IntentRecord): Promise<Signal[]> => [
    { kind: 'group', id },
  ],
} as const;

import type { IntentRecord, Signal } from '@dstack/core';
import type { Store } from '@dstack/store';

/** What the effects on a group have in common: every server can reach the backends. */
export const ON_GROUP = {
  subject: 'group',
  queue: 'machine',
  mayCancel: false,
  hostOf: async () => null,
  wakes: async (_: Store, { subjectId: id }: IntentRecord): Promise<Signal[]> => [
    { kind: 'group', id },
  ],
} as const;

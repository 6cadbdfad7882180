import { createIndex, createTable, type Migration } from './ddl.ts';

/** The audit log. */
export const events: Migration = {
  name: 'events',
  async up(c) {
    await createTable(c, 'events', {
      id: 'text!',
      message: 'text!',
      actor_user_id: 'text',
      recorded_at: 'big!',
    });
    await createIndex(c, 'events', 'recorded_at, id');
    await createIndex(c, 'events', 'actor_user_id, recorded_at');

    await createTable(
      c,
      'event_targets',
      {
        event_id: 'text! => events',
        target_num: 'int!',
        type: 'text!',
        target_id: 'text!',
        name: 'text!',
        project_id: 'text',
        parent_id: 'text',
        recorded_at: 'big!',
      },
      ['event_id', 'target_num'],
    );
    await createIndex(c, 'event_targets', 'target_id, recorded_at, event_id');
    await createIndex(c, 'event_targets', 'project_id, recorded_at, event_id');
    await createIndex(c, 'event_targets', 'parent_id, recorded_at, event_id');
    await createIndex(c, 'event_targets', 'recorded_at, event_id');
  },
};

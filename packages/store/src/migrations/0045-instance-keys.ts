import { createIndex, type Migration } from './ddl.ts';

/**
 * The keys of all instances of a fleet are read by each list, plan and placement pass: from this index
 * alone, since the rows themselves are wide.
 */
export const fleetInstanceKeys: Migration = {
  name: 'keys of instances by fleet',
  isAdditive: true,
  async up(c) {
    await createIndex(c, 'instances', 'fleet_id, instance_num, id, version', {
      where: 'not deleted',
      name: 'instances_keys',
    });
  },
};

import { isInstanceBusy } from '@dstack/contract/status';
import type { Instance } from '@dstack/contract/wire';
import { instanceKeys } from '../../data/fleets/instance-queries.ts';
import type { DeletionKind } from '../deletion/delete-dialog.tsx';
import { plural } from '../format/quantities.ts';

/** Instances are terminated; those that run jobs are named as such. */
export const INSTANCE_DELETION: DeletionKind<Instance> = {
  noun: 'instance',
  nameOf: ({ name }) => name,
  projectOf: ({ project_name }) => project_name,
  changes: instanceKeys.all,
  takesTime: true,
  async remove(client, instances) {
    const fleets = Map.groupBy(instances, (one) => `${one.project_name}/${one.fleet_name}`);
    for (const [, ofFleet] of fleets) {
      const [first] = ofFleet;
      if (first?.fleet_name == null) continue;
      await client.project(first.project_name).fleets.deleteInstances(
        first.fleet_name,
        ofFleet.map(({ instance_num }) => instance_num),
      );
    }
  },
  loss(instances) {
    const busy = instances.filter(({ status }) => isInstanceBusy(status)).length;
    return (
      <>
        <p>
          Cloud instances are terminated, and SSH hosts leave their fleet. What jobs have not saved
          outside of them is lost.
        </p>
        {busy === 0 ? null : (
          <p>
            {plural(busy, 'instance')} {busy === 1 ? 'is' : 'are'} in use: the jobs there end.
          </p>
        )}
      </>
    );
  },
};

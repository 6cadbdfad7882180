import type { Fleet } from '@dstack/contract/wire';
import { fleetKeys } from '../../data/fleets/fleet-queries.ts';
import { type DeletionKind, removeByProject } from '../deletion/delete-dialog.tsx';
import { plural } from '../format/quantities.ts';
import { fleetRow } from './fleet-row.ts';

/** Fleets are deleted with all of their instances. */
export const FLEET_DELETION: DeletionKind<Fleet> = {
  noun: 'fleet',
  nameOf: ({ name }) => name,
  projectOf: ({ project_name }) => project_name,
  changes: fleetKeys.all,
  takesTime: true,
  remove: (client, fleets) =>
    removeByProject(fleets, FLEET_DELETION, (project, names) =>
      client.project(project).fleets.delete(names),
    ),
  loss(fleets) {
    const rows = fleets.map(fleetRow);
    const instances = rows.reduce((sum, row) => sum + row.instances.length, 0);
    const busy = rows.reduce((sum, row) => sum + row.busy, 0);
    return (
      <p>
        {instances === 0
          ? 'There are no instances in it. Runs are no longer placed there.'
          : `${plural(instances, 'instance')} will be terminated.`}
        {busy === 0 ? '' : ` ${plural(busy, 'instance')} in use: the jobs there end.`}
      </p>
    );
  },
};

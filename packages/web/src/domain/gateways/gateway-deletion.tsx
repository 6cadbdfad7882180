import type { Gateway } from '@dstack/contract/wire';
import { gatewayKeys } from '../../data/gateways/gateway-queries.ts';
import { type DeletionKind, removeByProject } from '../deletion/delete-dialog.tsx';

export const GATEWAY_DELETION: DeletionKind<Gateway> = {
  noun: 'gateway',
  nameOf: ({ name }) => name,
  projectOf: ({ project_name }) => project_name,
  changes: gatewayKeys.all,
  force: 'Also if services use it',
  remove: (client, gateways, force) =>
    removeByProject(gateways, GATEWAY_DELETION, (project, names) =>
      client.project(project).gateways.delete(names, { force }),
    ),
  loss: () => (
    <p>Services behind it can no longer be reached at its domain, and its address is given back.</p>
  ),
};

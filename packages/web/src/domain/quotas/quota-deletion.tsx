import type { Quota } from '@dstack/contract/wire';
import { quotaKeys } from '../../data/quotas/quota-queries.ts';
import type { DeletionKind } from '../deletion/delete-dialog.tsx';
import { quotaSubject } from './quota-rows.ts';

export const QUOTA_DELETION: DeletionKind<Quota> = {
  noun: 'quota of',
  nameOf: quotaSubject,
  projectOf: () => null,
  loss: () => <p>Nothing that runs is ended. What the quota limited may start at once.</p>,
  remove: (client, quotas) =>
    client.quotas.delete(
      quotas.map(({ project_name, fleet_name, user_name }) => ({
        ...{ project_name, fleet_name, user_name },
      })),
    ),
  changes: quotaKeys.all,
};

import { userKeys } from '../../data/users/user-queries.ts';
import type { DeletionKind } from '../deletion/delete-dialog.tsx';

export const USER_DELETION: DeletionKind<string> = {
  noun: 'user',
  nameOf: (name) => name,
  projectOf: () => null,
  changes: userKeys.all,
  remove: (client, names) => client.users.delete(names),
  loss: () => (
    <p>
      Their tokens are refused at once, and they leave all projects. Deactivating a user can be
      undone, deleting cannot.
    </p>
  ),
};

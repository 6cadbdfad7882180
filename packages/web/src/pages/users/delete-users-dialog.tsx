import { useQueryClient } from '@tanstack/react-query';
import { useClient } from '../../data/session/session-context.tsx';
import { userKeys } from '../../data/users/user-queries.ts';
import { plural } from '../../domain/format/quantities.ts';
import { NameList } from '../../domain/links/name-link.tsx';
import { ConfirmDialog } from '../../ui/dialog/confirm-dialog.tsx';
import { toast } from '../../ui/toast/toaster.tsx';

interface DeleteUsersDialogProps {
  readonly names: readonly string[];
  readonly open: boolean;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

export function DeleteUsersDialog({ names, open, onClose, onDone }: DeleteUsersDialogProps) {
  const client = useClient();
  const cache = useQueryClient();
  const title = names.length === 1 ? `user ${names[0]}` : plural(names.length, 'user');
  const confirm = async () => {
    await client.users.delete(names);
    await cache.invalidateQueries({ queryKey: userKeys.all });
    toast.done(`Deleted ${title}`);
    onDone();
  };
  return (
    <ConfirmDialog
      open={open}
      onClose={onClose}
      title={`Delete ${title}?`}
      action="Delete"
      onConfirm={confirm}
    >
      <p>
        Their tokens are refused at once, and they leave all projects. Deactivating a user can be
        undone, deleting cannot.
      </p>
      <NameList names={names} />
    </ConfirmDialog>
  );
}

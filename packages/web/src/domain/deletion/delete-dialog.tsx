import type { Client } from '@dstack/client';
import { type QueryKey, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { useClient } from '../../data/session/session-context.tsx';
import { Button } from '../../ui/button/button.tsx';
import { ConfirmDialog } from '../../ui/dialog/confirm-dialog.tsx';
import { Checkbox } from '../../ui/field/field.tsx';
import { toast } from '../../ui/toast/toaster.tsx';
import { plural } from '../format/quantities.ts';
import { NameList } from '../links/name-link.tsx';

/** How things of one kind are deleted. */
export interface DeletionKind<T> {
  /** `fleet` */
  readonly noun: string;
  readonly nameOf: (item: T) => string;
  /** Null: it belongs to no project. */
  readonly projectOf: (item: T) => string | null;
  /** The text that names what is lost with these items. */
  readonly loss: (items: readonly T[]) => ReactNode;
  readonly remove: (client: Client, items: readonly T[], force: boolean) => Promise<unknown>;
  /** The label of the checkbox that sets `force` of `remove`; absent: there is no checkbox. */
  readonly force?: string;
  /** The cached answers that are wrong afterwards. */
  readonly changes: QueryKey;
  /** The deletion takes a while after the server has accepted it. */
  readonly takesTime?: boolean;
}

interface DeleteDialogProps<T> {
  readonly kind: DeletionKind<T>;
  readonly items: readonly T[];
  readonly open: boolean;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

/** Names what is deleted and what is lost with it, and deletes it only then. */
export function DeleteDialog<T>({ kind, items, open, onClose, onDone }: DeleteDialogProps<T>) {
  const client = useClient();
  const cache = useQueryClient();
  const [force, setForce] = useState(false);
  const [first] = items;
  const title =
    items.length === 1 && first !== undefined
      ? `${kind.noun} ${kind.nameOf(first)}`
      : plural(items.length, kind.noun);
  const confirm = async () => {
    await kind.remove(client, items, force);
    await cache.invalidateQueries({ queryKey: kind.changes });
    toast.done(kind.takesTime ? `Deletion of ${title} was requested` : `Deleted ${title}`);
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
      {kind.loss(items)}
      <NameList
        names={items.map((item) => {
          const project = kind.projectOf(item);
          return project === null ? kind.nameOf(item) : `${project}/${kind.nameOf(item)}`;
        })}
      />
      {kind.force === undefined ? null : (
        <Checkbox checked={force} onChange={setForce}>
          {kind.force}
        </Checkbox>
      )}
    </ConfirmDialog>
  );
}

/** The button that deletes, and what it asks. */
export function DeleteButton<T>(props: {
  readonly kind: DeletionKind<T>;
  readonly items: readonly T[];
  readonly onDone: () => void;
  /** Why it cannot be deleted now. */
  readonly disabledReason?: string | null;
  readonly size?: 'md' | 'sm';
  readonly icon?: ReactNode;
}) {
  const { kind, items, onDone, disabledReason = null, size = 'md', icon } = props;
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button size={size} icon={icon} disabledReason={disabledReason} onClick={() => setOpen(true)}>
        Delete
      </Button>
      <DeleteDialog
        kind={kind}
        items={items}
        open={open}
        onClose={() => setOpen(false)}
        onDone={onDone}
      />
    </>
  );
}

/** Deletes what has a name in a project, with one request for each project. */
export async function removeByProject<T>(
  items: readonly T[],
  kind: Pick<DeletionKind<T>, 'nameOf' | 'projectOf'>,
  remove: (project: string, names: readonly string[]) => Promise<unknown>,
): Promise<void> {
  for (const [project, ofProject] of Map.groupBy(items, kind.projectOf)) {
    if (project !== null) await remove(project, ofProject.map(kind.nameOf));
  }
}

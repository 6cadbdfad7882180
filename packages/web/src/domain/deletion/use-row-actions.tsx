import { Copy, Trash2 } from 'lucide-react';
import { type ReactNode, useCallback, useState } from 'react';
import { copyText } from '../../ui/copy/copy-text.ts';
import type { RowAction, RowActionsOf } from '../../ui/table/row-action.ts';
import { DeleteDialog, type DeletionKind } from './delete-dialog.tsx';

export interface DeletableRows<Row, T> {
  readonly kind: DeletionKind<T>;
  /** The item that a row shows. Pass the same function each time. */
  readonly itemOf: (row: Row) => T;
  /** Further actions of a row, placed before the others. Pass the same function each time. */
  readonly more?: (row: Row) => readonly RowAction[];
}

/** The actions of rows that can be deleted: first their own, then copying the name, and deleting. */
export function useRowActions<Row, T>({
  kind,
  itemOf,
  more,
}: DeletableRows<Row, T>): {
  readonly rowActions: RowActionsOf<Row>;
  readonly dialog: ReactNode;
} {
  const [asked, setAsked] = useState<{ readonly item: T; readonly open: boolean } | null>(null);
  const rowActions = useCallback<RowActionsOf<Row>>(
    (row) => {
      const item = itemOf(row);
      return [
        ...(more?.(row) ?? []),
        {
          label: 'Copy the name',
          icon: Copy,
          quick: true,
          run: () => void copyText(kind.nameOf(item), 'The name'),
        },
        {
          label: 'Delete',
          icon: Trash2,
          danger: true,
          run: () => setAsked({ item, open: true }),
        },
      ];
    },
    [kind, itemOf, more],
  );
  // It keeps its text while it fades out.
  const close = () => setAsked((last) => last && { ...last, open: false });
  const dialog =
    asked === null ? null : (
      <DeleteDialog
        kind={kind}
        items={[asked.item]}
        open={asked.open}
        onClose={close}
        onDone={close}
      />
    );
  return { rowActions, dialog };
}

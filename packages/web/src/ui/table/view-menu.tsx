import { Bookmark, BookmarkPlus, Check, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { Button } from '../button/button.tsx';
import { ConfirmDialog } from '../dialog/confirm-dialog.tsx';
import { TextField } from '../field/field.tsx';
import { Menu } from '../menu/menu.tsx';
import type { MenuEntry } from '../menu/menu-entry.ts';
import { useSavedChoice } from '../saved-choice.ts';
import {
  currentView,
  parseViews,
  type SavedView,
  type ShownView,
  withView,
} from './saved-views.ts';

interface ViewMenuProps {
  /** `run` */
  readonly table: string;
  /** The present columns, and the filters that the address sets. */
  readonly shown: ShownView;
  readonly onApply: (view: Omit<SavedView, 'name'>) => void;
}

/** Names for filters and columns. This browser remembers them; a link has the filters themselves. */
export function ViewMenu({ table, shown, onApply }: ViewMenuProps) {
  const [views, setViews] = useSavedChoice(`dstack-views-${table}`, parseViews);
  const [name, setName] = useState('');
  const [isNaming, setNaming] = useState(false);
  const current = currentView(views, shown);
  const save = async () => {
    if (name.trim() === '') throw new Error('A view needs a name.');
    setViews(withView(views, { name: name.trim(), ...shown }));
    setName('');
  };
  const forget = (known: string): MenuEntry => ({
    kind: 'action',
    label: `Forget ${known}`,
    icon: <Trash2 size={15} />,
    danger: true,
    onSelect: () => setViews(views.filter((view) => view.name !== known)),
  });
  return (
    <>
      <Menu
        align="start"
        trigger={
          <Button icon={<Bookmark size={14} />}>{current === null ? 'Views' : current.name}</Button>
        }
        entries={[
          ...views.map((view) => ({
            kind: 'action' as const,
            id: `view ${view.name}`,
            label: view.name,
            icon: view === current ? <Check size={15} /> : null,
            onSelect: () => onApply(view === current ? { filters: {} } : view),
          })),
          ...(views.length === 0 ? [] : (['separator'] as const)),
          {
            kind: 'action',
            label: 'Save filters and columns as a view',
            icon: <BookmarkPlus size={15} />,
            disabled: current !== null,
            onSelect: () => setNaming(true),
          },
          ...(current === null ? [] : [forget(current.name)]),
        ]}
      />
      <ConfirmDialog
        open={isNaming}
        onClose={() => setNaming(false)}
        title="Save filters and columns as a view"
        action="Save"
        danger={false}
        onConfirm={save}
      >
        <TextField
          label="Name"
          value={name}
          onChange={setName}
          hint="This browser remembers it. A view of the same name is replaced."
        />
      </ConfirmDialog>
    </>
  );
}

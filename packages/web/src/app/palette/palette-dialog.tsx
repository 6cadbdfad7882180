import { Autocomplete } from '@base-ui/react/autocomplete';
import { Dialog } from '@base-ui/react/dialog';
import { Search } from 'lucide-react';
import { type FocusEvent, useState } from 'react';
import { KeyHint } from '../../ui/keyboard/key-hint.tsx';
import styles from './palette-dialog.module.css';
import { findEntries, groupEntries, type PaletteEntry } from './palette-entries.ts';
import type { TypeAhead } from './type-ahead.ts';
import { usePaletteEntries } from './use-palette-entries.ts';

interface PaletteProps {
  readonly onClose: () => void;
  /** Ends the collecting of keys, and returns those typed before the field had the focus. */
  readonly takeTyped: () => TypeAhead;
}

/** Finds pages, objects and commands by name. */
export function PaletteDialog(props: PaletteProps & { readonly open: boolean }) {
  const { open, onClose, takeTyped } = props;
  return (
    <Dialog.Root open={open} onOpenChange={(next) => (next ? undefined : onClose())}>
      <Dialog.Portal>
        <Dialog.Backdrop className={styles.backdrop} />
        <Dialog.Viewport className={styles.viewport}>
          <Dialog.Popup className={styles.popup} aria-label="Search or jump to">
            <PaletteList onClose={onClose} takeTyped={takeTyped} />
          </Dialog.Popup>
        </Dialog.Viewport>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function PaletteList({ onClose, takeTyped }: PaletteProps) {
  const [query, setQuery] = useState('');
  const entries = usePaletteEntries();
  const groups = groupEntries(findEntries(entries, query));
  const onFocus = ({ currentTarget }: FocusEvent<HTMLInputElement>) => {
    const { text, keys } = takeTyped();
    if (text !== '') setQuery((now) => now + text);
    // The list has to be drawn for the text first.
    requestAnimationFrame(() => {
      for (const key of keys) {
        currentTarget.dispatchEvent(
          new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }),
        );
      }
    });
  };
  const choose = (entry: PaletteEntry) => {
    onClose();
    entry.run();
  };
  return (
    <Autocomplete.Root
      open
      inline
      items={groups}
      mode="none"
      value={query}
      onValueChange={setQuery}
      itemToStringValue={(entry: PaletteEntry) => entry.label}
      autoHighlight="always"
      keepHighlight
    >
      <div className={styles.field}>
        <Search size={16} aria-hidden="true" />
        <Autocomplete.Input
          className={styles.input}
          onFocus={onFocus}
          aria-label="Search or jump to"
          placeholder="Run, fleet, page or command"
        />
        <KeyHint keys="escape" />
      </div>
      <Autocomplete.Empty>
        <p className={styles.empty}>Nothing has this name.</p>
      </Autocomplete.Empty>
      <Autocomplete.List className={styles.list}>
        {(group: (typeof groups)[number]) => (
          <Autocomplete.Group key={group.value} items={group.items} className={styles.group}>
            <Autocomplete.GroupLabel className={styles.heading}>
              {group.value}
            </Autocomplete.GroupLabel>
            <Autocomplete.Collection>
              {(entry: PaletteEntry) => (
                <Autocomplete.Item
                  key={entry.id}
                  value={entry}
                  className={styles.item}
                  onClick={() => choose(entry)}
                >
                  {entry.icon === undefined ? null : <entry.icon size={15} aria-hidden="true" />}
                  <span className={styles.label}>{entry.label}</span>
                  <span className={styles.hint}>{entry.hint}</span>
                  {entry.keys === undefined ? null : <KeyHint keys={entry.keys} />}
                </Autocomplete.Item>
              )}
            </Autocomplete.Collection>
          </Autocomplete.Group>
        )}
      </Autocomplete.List>
    </Autocomplete.Root>
  );
}

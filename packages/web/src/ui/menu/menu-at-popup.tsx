import { Menu as Base } from '@base-ui/react/menu';
import { useRef } from 'react';
import styles from './menu.module.css';
import type { MenuEntry } from './menu-entry.ts';
import { Entries } from './menu-popup.tsx';

export interface MenuAtProps {
  /** Null: it is closed. */
  readonly anchor: HTMLElement | null;
  readonly entries: readonly MenuEntry[];
  readonly onClose: () => void;
}

export function MenuAtPopup({ anchor, entries, onClose }: MenuAtProps) {
  // Keeps its place and content while it fades out; the focus returns there.
  const last = useRef<{ anchor: HTMLElement; entries: readonly MenuEntry[] } | null>(null);
  if (anchor !== null) last.current = { anchor, entries };
  const shown = last.current;
  return (
    <Base.Root open={anchor !== null} onOpenChange={(open) => (open ? undefined : onClose())}>
      <Base.Portal>
        <Base.Positioner
          className={styles.positioner}
          anchor={shown?.anchor ?? null}
          sideOffset={5}
          align="end"
        >
          <Base.Popup className={styles.popup} finalFocus={() => shown?.anchor ?? true}>
            <Entries entries={shown?.entries ?? []} />
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}

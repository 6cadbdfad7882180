import { Menu as Base } from '@base-ui/react/menu';
import { GripVertical } from 'lucide-react';
import { type DragEvent, type KeyboardEvent, useEffect, useRef, useState } from 'react';
import { useAnnounce } from '../feedback/announcer.tsx';
import styles from './menu.module.css';
import type { MenuOrder } from './menu-entry.ts';

const STEPS: Readonly<Record<string, number>> = { ArrowUp: -1, ArrowDown: 1 };

/** Switches that can be dragged to another place, or moved there with Alt and the arrow keys. */
export function OrderedSwitches({ label, items, onCheck, onMove }: MenuOrder) {
  const announce = useAnnounce();
  const [dragged, setDragged] = useState<string | null>(null);
  const [over, setOver] = useState<number | null>(null);
  const group = useRef<HTMLDivElement>(null);
  const moved = useRef<string | null>(null);
  // The browser takes the focus from an element that is put elsewhere, and the menu gives it to what has
  // come to its place; afterwards it returns.
  useEffect(() => {
    const place = items.findIndex(({ id }) => id === moved.current);
    if (place < 0) return;
    const frame = requestAnimationFrame(() => {
      moved.current = null;
      const item = group.current?.querySelectorAll<HTMLElement>('[role="menuitemcheckbox"]')[place];
      // The menu learns the new place by the event, which there is none of where the focus has stayed.
      item?.blur();
      item?.focus();
    });
    return () => cancelAnimationFrame(frame);
  }, [items]);
  const moveByKey = (event: KeyboardEvent, place: number) => {
    const step = STEPS[event.key];
    const item = items[place];
    if (!event.altKey || step === undefined || item === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const to = Math.min(Math.max(place + step, 0), items.length - 1);
    if (to === place) return;
    moved.current = item.id;
    onMove(item.id, to);
    announce(`${item.label} is at place ${to + 1} of ${items.length}`);
  };
  const end = () => {
    setDragged(null);
    setOver(null);
  };
  const accept = (event: DragEvent, place: number) => {
    if (dragged === null) return;
    event.preventDefault();
    setOver(place);
  };
  const from = items.findIndex(({ id }) => id === dragged);
  return (
    <Base.Group ref={group}>
      <Base.GroupLabel className={styles.groupLabel}>
        {label}
        <span className={styles.orderHint}>Order: drag, or Alt ↑ ↓</span>
      </Base.GroupLabel>
      {items.map(({ id, label: name, checked }, place) => (
        <Base.CheckboxItem
          key={id}
          className={styles.item}
          checked={checked}
          onCheckedChange={(on: boolean) => onCheck(id, on)}
          closeOnClick={false}
          draggable
          data-dragged={id === dragged || undefined}
          data-drop={
            over === place && from !== place ? (from < place ? 'below' : 'above') : undefined
          }
          onKeyDown={(event: KeyboardEvent) => moveByKey(event, place)}
          onDragStart={(event: DragEvent) => {
            event.dataTransfer.effectAllowed = 'move';
            // Some browsers drag nothing that has no data.
            event.dataTransfer.setData('text/plain', name);
            setDragged(id);
          }}
          onDragOver={(event: DragEvent) => accept(event, place)}
          onDrop={(event: DragEvent) => {
            event.preventDefault();
            if (dragged !== null) onMove(dragged, place);
            end();
          }}
          onDragEnd={end}
        >
          <span className={styles.check}>
            <Base.CheckboxItemIndicator>✓</Base.CheckboxItemIndicator>
          </span>
          <span className={styles.label}>{name}</span>
          <GripVertical size={14} aria-hidden="true" className={styles.grip} />
        </Base.CheckboxItem>
      ))}
    </Base.Group>
  );
}

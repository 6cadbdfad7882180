import { Ellipsis } from 'lucide-react';
import type { BoardRowData } from './board-rows.ts';
import styles from './instance-menu-button.module.css';

interface InstanceMenuButtonProps {
  readonly row: BoardRowData;
  /** Opens the menu of the instance at this element. */
  readonly onMenu: (row: BoardRowData, anchor: HTMLElement) => void;
  /** The title names the key that opens the menu where there is one. */
  readonly title?: string;
}

export function InstanceMenuButton({ row, onMenu, title }: InstanceMenuButtonProps) {
  return (
    <button
      type="button"
      className={styles.menu}
      aria-label={`Actions of ${row.instance.name}`}
      aria-haspopup="menu"
      title={title}
      data-row-menu=""
      onClick={(event) => onMenu(row, event.currentTarget)}
    >
      <Ellipsis size={16} aria-hidden="true" />
    </button>
  );
}

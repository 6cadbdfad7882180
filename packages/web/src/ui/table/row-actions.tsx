import { Ellipsis } from 'lucide-react';
import { classNames } from '../class-names.ts';
import type { RowAction } from './row-action.ts';
import styles from './row-actions.module.css';

export interface RowActionsProps {
  readonly name: string;
  readonly actions: readonly RowAction[];
  /** Opens the menu of the row at this element. */
  readonly onMenu: (anchor: HTMLElement) => void;
}

/** The buttons of a row. Native ones: thousands of rows are scrolled through. */
export function RowActions({ name, actions, onMenu }: RowActionsProps) {
  return (
    <div className={styles.actions}>
      <div className={styles.quick}>
        {actions
          .filter(({ quick }) => quick)
          .map(({ label, icon: Icon, keys, disabledReason, run }) => (
            <button
              key={label}
              type="button"
              className={styles.button}
              title={disabledReason ?? (keys === undefined ? label : `${label} (${keys})`)}
              aria-label={`${label} ${name}`}
              aria-disabled={disabledReason == null ? undefined : true}
              data-row-keys={keys}
              onClick={disabledReason == null ? run : undefined}
            >
              <Icon size={15} aria-hidden="true" />
            </button>
          ))}
      </div>
      <button
        type="button"
        className={classNames(styles.button, styles.more)}
        title="Actions (.)"
        aria-label={`Actions of ${name}`}
        aria-haspopup="menu"
        data-row-menu=""
        onClick={(event) => onMenu(event.currentTarget)}
      >
        <Ellipsis size={16} aria-hidden="true" />
      </button>
    </div>
  );
}

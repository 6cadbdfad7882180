import { Dialog as Base } from '@base-ui/react/dialog';
import { X } from 'lucide-react';
import type { ReactNode } from 'react';
import { buttonClass } from '../button/button.tsx';
import { classNames } from '../class-names.ts';
import styles from './dialog.module.css';

export interface DialogProps {
  readonly open: boolean;
  readonly onClose: () => void;
  readonly title: string;
  readonly description?: ReactNode;
  readonly children?: ReactNode;
  /** Buttons, the main one last. */
  readonly actions?: ReactNode;
  readonly wide?: boolean;
}

/** A modal dialog. Focus moves in, is kept in, and returns to where it came from. */
export function Dialog(props: DialogProps) {
  const { open, onClose, title, description, children, actions, wide } = props;
  return (
    <Base.Root open={open} onOpenChange={(next) => (next ? undefined : onClose())}>
      <Base.Portal>
        <Base.Backdrop className={styles.backdrop} />
        <Base.Viewport className={styles.viewport}>
          <Base.Popup className={classNames(styles.popup, wide && styles.wide)}>
            <Base.Title className={styles.title}>{title}</Base.Title>
            {description === undefined ? null : (
              <Base.Description className={styles.description} render={<div />}>
                {description}
              </Base.Description>
            )}
            {children === undefined ? null : <div className={styles.body}>{children}</div>}
            {actions === undefined ? null : <div className={styles.actions}>{actions}</div>}
            {/* The last one, so that the focus begins at the first field or button. A tooltip would take the
                first Escape for itself. */}
            <Base.Close className={classNames(buttonClass({ variant: 'quiet' }), styles.close)}>
              <X size={16} aria-hidden="true" />
              <span className="visually-hidden">Close</span>
            </Base.Close>
          </Base.Popup>
        </Base.Viewport>
      </Base.Portal>
    </Base.Root>
  );
}

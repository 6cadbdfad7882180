import { Dialog as Base } from '@base-ui/react/dialog';
import { X } from 'lucide-react';
import { buttonClass } from '../button/button.tsx';
import { classNames } from '../class-names.ts';
import styles from './dialog.module.css';
import type { DialogProps } from './dialog-props.ts';

/** The window over the page. */
export function DialogPopup(props: DialogProps) {
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

import { Dialog } from '@base-ui/react/dialog';
import { Navigation } from './navigation.tsx';
import styles from './navigation-drawer.module.css';
import type { NavigationDrawerProps } from './navigation-drawer-props.ts';

export function NavigationDrawerPopup({ open, onClose }: NavigationDrawerProps) {
  return (
    <Dialog.Root open={open} onOpenChange={(next) => (next ? undefined : onClose())}>
      <Dialog.Portal>
        <Dialog.Backdrop className={styles.backdrop} />
        <Dialog.Popup className={styles.drawer} aria-label="Navigation">
          <Navigation onFollow={onClose} />
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

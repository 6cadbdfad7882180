import { Dialog } from '@base-ui/react/dialog';
import { Navigation } from './navigation.tsx';
import styles from './navigation-drawer.module.css';

/** The navigation of narrow screens. */
export function NavigationDrawer(props: { readonly open: boolean; readonly onClose: () => void }) {
  const { open, onClose } = props;
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

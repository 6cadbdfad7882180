import { Toast as Base } from '@base-ui/react/toast';
import { CircleCheck, CircleX, X } from 'lucide-react';
import { useEffect } from 'react';
import { IconButton } from '../button/button.tsx';
import type { ToastQueue } from './toast-queue.ts';
import styles from './toaster.module.css';

export interface ToastsProps {
  readonly queue: ToastQueue;
}

const manager = Base.createToastManager();

/** The reports at the edge of the page. */
export function Toasts({ queue }: ToastsProps) {
  // For the reports from outside of the page's components.
  useEffect(
    () =>
      queue.onReport(({ kind, title, description }) => {
        // Errors stay until they are closed.
        if (kind === 'done') manager.add({ title, description, type: 'done', timeout: 5000 });
        else manager.add({ title, description, type: 'failed', timeout: 0, priority: 'high' });
      }),
    [queue],
  );
  return (
    <Base.Provider toastManager={manager} limit={4}>
      <Base.Portal>
        <Base.Viewport className={styles.viewport}>
          <List />
        </Base.Viewport>
      </Base.Portal>
    </Base.Provider>
  );
}

function List() {
  const { toasts } = Base.useToastManager();
  return toasts.map((item) => (
    <Base.Root key={item.id} toast={item} className={styles.toast}>
      {item.type === 'failed' ? (
        <CircleX size={17} aria-hidden="true" className={styles.failed} />
      ) : (
        <CircleCheck size={17} aria-hidden="true" className={styles.done} />
      )}
      <div className={styles.text}>
        <Base.Title className={styles.title} />
        <Base.Description className={styles.description} />
      </div>
      <Base.Close
        render={
          <IconButton label="Close the message" size="sm">
            <X size={14} />
          </IconButton>
        }
      />
    </Base.Root>
  ));
}

import { Toast as Base } from '@base-ui/react/toast';
import { CircleCheck, CircleX, X } from 'lucide-react';
import type { ReactNode } from 'react';
import { IconButton } from '../button/button.tsx';
import styles from './toaster.module.css';

const manager = Base.createToastManager();

/** Reports the outcome of an action; errors stay until they are closed. */
export const toast = {
  done: (title: string, description?: string): void => {
    manager.add({ title, description, type: 'done', timeout: 5000 });
  },
  failed: (title: string, description?: string): void => {
    manager.add({ title, description, type: 'failed', timeout: 0, priority: 'high' });
  },
};

export function ToastProvider({ children }: { readonly children: ReactNode }) {
  return (
    <Base.Provider toastManager={manager} limit={4}>
      {children}
      <Base.Portal>
        <Base.Viewport className={styles.viewport}>
          <Toasts />
        </Base.Viewport>
      </Base.Portal>
    </Base.Provider>
  );
}

function Toasts() {
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

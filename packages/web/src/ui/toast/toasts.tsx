import { Toast as Base } from '@base-ui/react/toast';
import { CircleCheck, CircleX, Undo2, X } from 'lucide-react';
import { useEffect } from 'react';
import { Button, IconButton } from '../button/button.tsx';
import { KeyHint } from '../keyboard/key-hint.tsx';
import { useTicking } from '../time/clock.ts';
import type { ToastQueue, Undoable } from './toast-queue.ts';
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
      queue.onReport((report) => {
        if (report.kind === 'undo') {
          const id = manager.add({
            ...{ title: report.title, type: 'undo', timeout: 0, data: report },
          });
          const end = report.isOver(() => {
            end();
            manager.close(id);
          });
          return;
        }
        const { kind, title, description } = report;
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

/** With the seconds that are left. */
function UndoButton({ until, keys, onUndo }: Undoable) {
  const seconds = useTicking((now) => Math.max(0, Math.ceil((until - now) / 1000)));
  return (
    <Button size="sm" onClick={onUndo}>
      Undo
      <span className={styles.hints} aria-hidden="true">
        <KeyHint keys={keys} /> <span className={styles.seconds}>{seconds} s</span>
      </span>
    </Button>
  );
}

function List() {
  const { toasts } = Base.useToastManager<Undoable>();
  return toasts.map((item) => (
    <Base.Root key={item.id} toast={item} className={styles.toast}>
      {item.type === 'failed' ? (
        <CircleX size={17} aria-hidden="true" className={styles.failed} />
      ) : item.data?.kind === 'undo' ? (
        <Undo2 size={17} aria-hidden="true" className={styles.undo} />
      ) : (
        <CircleCheck size={17} aria-hidden="true" className={styles.done} />
      )}
      <div className={styles.text}>
        <Base.Title className={styles.title} />
        <Base.Description className={styles.description} />
      </div>
      {item.data?.kind === 'undo' ? <UndoButton {...item.data} /> : null}
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

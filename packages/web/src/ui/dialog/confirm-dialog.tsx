import { type ReactNode, useState } from 'react';
import { Button } from '../button/button.tsx';
import { errorText } from '../feedback/error-text.ts';
import { InlineError } from '../feedback/inline-error.tsx';
import { Dialog } from './dialog.tsx';

export interface ConfirmDialogProps {
  readonly open: boolean;
  readonly onClose: () => void;
  /** Names the action: `Stop 3 runs?`. */
  readonly title: string;
  /** Names the objects, and what is lost. */
  readonly children: ReactNode;
  /** The button that does it: `Stop`. */
  readonly action: string;
  readonly danger?: boolean;
  readonly onConfirm: () => Promise<unknown>;
}

/** Asks before something is ended or deleted. Stays open with the error if it fails. */
export function ConfirmDialog(props: ConfirmDialogProps) {
  const { open, onClose, title, children, action, danger = true, onConfirm } = props;
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const close = () => {
    setError(null);
    onClose();
  };
  const confirm = async () => {
    setBusy(true);
    setError(null);
    try {
      await onConfirm();
      close();
    } catch (failure) {
      setError(errorText(failure).what);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog
      open={open}
      onClose={close}
      title={title}
      actions={
        <>
          <Button onClick={close}>Cancel</Button>
          <Button variant={danger ? 'danger' : 'primary'} busy={busy} onClick={confirm}>
            {action}
          </Button>
        </>
      }
    >
      {children}
      {error === null ? null : <InlineError text={error} />}
    </Dialog>
  );
}

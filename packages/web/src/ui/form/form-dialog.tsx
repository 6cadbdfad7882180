import type { ReactNode } from 'react';
import { Button } from '../button/button.tsx';
import { Dialog } from '../dialog/dialog.tsx';
import { Form } from './form.tsx';
import type { FormSubmission } from './use-submit.ts';

export interface FormDialogProps {
  readonly open: boolean;
  readonly onClose: () => void;
  readonly title: string;
  readonly description?: ReactNode;
  /** The button that submits: `Create`. */
  readonly action: string;
  readonly submission: FormSubmission;
  readonly onSubmit: () => void;
  readonly children: ReactNode;
  readonly wide?: boolean;
}

/** A form over the page. It stays open with what was typed if the server refuses it. */
export function FormDialog(props: FormDialogProps) {
  const { open, onClose, title, description, action, submission, onSubmit, children, wide } = props;
  const close = () => {
    submission.reset();
    onClose();
  };
  return (
    <Dialog
      open={open}
      onClose={close}
      title={title}
      {...(description === undefined ? {} : { description })}
      {...(wide === undefined ? {} : { wide })}
    >
      <Form
        onSubmit={onSubmit}
        error={submission.error}
        actions={
          <>
            <Button onClick={close}>Cancel</Button>
            <Button type="submit" variant="primary" busy={submission.busy}>
              {action}
            </Button>
          </>
        }
      >
        {children}
      </Form>
    </Dialog>
  );
}

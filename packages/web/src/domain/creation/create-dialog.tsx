import { type QueryKey, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { FormDialog } from '../../ui/form/form-dialog.tsx';
import type { FormSubmission } from '../../ui/form/use-submit.ts';
import { toast } from '../../ui/toast/toaster.tsx';

export interface CreateDialogProps {
  /** `gateway` */
  readonly noun: string;
  readonly open: boolean;
  readonly onClose: () => void;
  readonly submission: FormSubmission;
  /** Creates it; returns what to report. */
  readonly create: () => Promise<string>;
  /** The cached answers that are wrong afterwards. */
  readonly changes: QueryKey;
  /** Empties the fields after they were used. */
  readonly reset?: () => void;
  readonly children: ReactNode;
}

/** A form over a list that adds something to it. */
export function CreateDialog(props: CreateDialogProps) {
  const { noun, open, onClose, submission, create, changes, reset, children } = props;
  const cache = useQueryClient();
  const submit = async () => {
    const done = await submission.submit(async () => {
      const report = await create();
      await cache.invalidateQueries({ queryKey: changes });
      toast.done(report);
    });
    if (!done) return;
    reset?.();
    onClose();
  };
  return (
    <FormDialog
      open={open}
      onClose={onClose}
      title={`New ${noun}`}
      action="Create"
      submission={submission}
      onSubmit={() => void submit()}
    >
      {children}
    </FormDialog>
  );
}

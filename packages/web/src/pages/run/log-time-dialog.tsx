import { useState } from 'react';
import { parseAskedTime } from '../../domain/logs/asked-time.ts';
import { TextField } from '../../ui/field/field.tsx';
import { FormDialog } from '../../ui/form/form-dialog.tsx';
import { useSubmit } from '../../ui/form/use-submit.ts';

interface LogTimeDialogProps {
  readonly open: boolean;
  readonly onClose: () => void;
  /** Shows the log from this time on; returns an error message, or null if the log shows it. */
  readonly onTime: (time: number) => string | null;
}

/** Asks for a time whose lines are to be shown. */
export function LogTimeDialog({ open, onClose, onTime }: LogTimeDialogProps) {
  const [text, setText] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const submission = useSubmit();
  const submit = () => {
    const asked = parseAskedTime(text, Date.now());
    const found = asked.kind === 'time' ? onTime(asked.time) : asked.problem;
    setProblem(found);
    if (found === null) onClose();
  };
  return (
    <FormDialog
      open={open}
      onClose={onClose}
      title="Go to a time"
      action="Go"
      submission={submission}
      onSubmit={submit}
    >
      <TextField
        label="Time"
        hint="14:03 or 2026-11-27 14:03:10 in your time zone, 2026-11-27T14:03:10Z, or -10m."
        value={text}
        error={problem}
        onChange={(next) => {
          setText(next);
          setProblem(null);
        }}
      />
    </FormDialog>
  );
}

import type { Client } from '@dstack/client';
import type { Instance } from '@dstack/contract/wire';
import { useState } from 'react';
import { TextField } from '../../ui/field/field.tsx';
import { FormDialog } from '../../ui/form/form-dialog.tsx';
import { SelectField } from '../../ui/form/select-field.tsx';
import type { FormSubmission } from '../../ui/form/use-submit.ts';

export interface Care {
  readonly reason: string | null;
  /** Null: without an end. */
  readonly seconds: number | null;
}

/** One way to keep new jobs off an instance. */
export interface CareKind {
  readonly title: string;
  readonly description: string;
  readonly action: string;
  readonly timeLabel: string;
  /** Seconds; empty = without an end. The first is the default. */
  readonly times: readonly { readonly value: string; readonly label: string }[];
  readonly done: string;
  readonly request: (client: Client, instance: Instance, care: Care) => Promise<unknown>;
}

const HOUR = { value: '3600', label: '1 hour' };
const DAY = { value: '86400', label: '1 day' };

export const CORDON: CareKind = {
  title: 'Cordon',
  description: 'It gets no new jobs. The jobs that it has go on.',
  action: 'Cordon',
  timeLabel: 'For',
  times: [
    { value: '', label: 'until it is uncordoned' },
    HOUR,
    DAY,
    { value: '604800', label: '1 week' },
  ],
  done: 'gets no new jobs',
  request: (client, { project_name, name }, { reason, seconds }) =>
    client.project(project_name).instances.cordon([name], { reason, seconds, until: null }),
};

export const DRAIN: CareKind = {
  title: 'Drain',
  description:
    'It gets no new jobs, and its jobs leave it. Services get other replicas first; other jobs go on until the end of this time, and then elsewhere.',
  action: 'Drain',
  timeLabel: 'Jobs leave within',
  times: [HOUR, { value: '600', label: '10 minutes' }, { value: '14400', label: '4 hours' }, DAY],
  done: 'is drained',
  request: (client, { project_name, name }, { reason, seconds }) =>
    client
      .project(project_name)
      .instances.drain([name], { reason, seconds: seconds ?? Number(HOUR.value) }),
};

/** Asks for how long, and why. */
export function CareDialog(props: {
  readonly kind: CareKind;
  readonly instance: Instance;
  readonly submission: FormSubmission;
  readonly onClose: () => void;
  readonly onSubmit: (care: Care) => Promise<boolean>;
}) {
  const { kind, instance, submission, onClose, onSubmit } = props;
  const [reason, setReason] = useState('');
  const [time, setTime] = useState(kind.times[0]?.value ?? '');
  const submit = async () => {
    const seconds = time === '' ? null : Number(time);
    if (await onSubmit({ reason: reason.trim() || null, seconds })) onClose();
  };
  return (
    <FormDialog
      open
      onClose={onClose}
      title={`${kind.title} ${instance.name}`}
      description={kind.description}
      action={kind.action}
      submission={submission}
      onSubmit={() => void submit()}
    >
      <SelectField label={kind.timeLabel} value={time} options={kind.times} onChange={setTime} />
      <TextField
        label="Reason"
        value={reason}
        onChange={setReason}
        input={{ placeholder: 'a fan is replaced' }}
      />
    </FormDialog>
  );
}

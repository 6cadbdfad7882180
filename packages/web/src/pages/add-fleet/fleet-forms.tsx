import type { CloudFleetForm, SshFleetForm } from '../../domain/fleets/fleet-form.ts';
import { Field, TextArea, TextField } from '../../ui/field/field.tsx';
import { FormRow } from '../../ui/form/form.tsx';
import { SelectField } from '../../ui/form/select-field.tsx';
import { boundFields } from '../../ui/form/use-fields.ts';

interface FormPartProps<T> {
  readonly value: T;
  readonly onChange: (value: T) => void;
  readonly errorOf: (field: string) => string | null;
}

/** A list of hosts that the server reaches by SSH. */
export function SshFleetFields({ value, onChange, errorOf }: FormPartProps<SshFleetForm>) {
  const field = boundFields(value, onChange, errorOf);
  return (
    <>
      <TextField label="Name" optional {...field('name')} />
      <Field
        label="Hosts"
        hint="One name or address per line. Each needs SSH, and Docker for jobs in containers."
        error={errorOf('hosts')}
      >
        {(control) => (
          <TextArea
            {...control}
            rows={4}
            placeholder={'10.0.0.1\n10.0.0.2'}
            value={value.hosts}
            onChange={(event) => onChange({ ...value, hosts: event.target.value })}
          />
        )}
      </Field>
      <FormRow>
        <TextField
          label="Login user"
          hint="Needs sudo without a password."
          {...field('user')}
          input={{ placeholder: 'ubuntu' }}
        />
        <TextField
          label="Blocks per host"
          optional
          hint="How many jobs may share a host."
          {...field('blocks')}
          input={{ placeholder: '1', inputMode: 'numeric' }}
        />
        <TextField
          label="Private network"
          optional
          hint="For tasks on several hosts."
          {...field('network')}
          input={{ placeholder: '10.0.0.0/24' }}
        />
      </FormRow>
    </>
  );
}

const SPOT = [
  { value: 'on-demand', label: 'On-demand' },
  { value: 'auto', label: 'Spot where available' },
  { value: 'spot', label: 'Spot only' },
] as const;

/** A template for instances of the project's backends. */
export function CloudFleetFields({ value, onChange, errorOf }: FormPartProps<CloudFleetForm>) {
  const { spotPolicy, ...texts } = value;
  const field = boundFields(texts, (next) => onChange({ ...value, ...next }), errorOf);
  return (
    <>
      <TextField label="Name" optional {...field('name')} />
      <FormRow>
        <TextField
          label="Instances at least"
          hint="0: only when runs need them."
          {...field('min')}
          error={errorOf('min') ?? errorOf('nodes')}
          input={{ inputMode: 'numeric' }}
        />
        <TextField label="At most" optional {...field('max')} input={{ inputMode: 'numeric' }} />
        <TextField
          label="GPUs"
          optional
          hint="Name, memory, count."
          {...field('gpu')}
          input={{ placeholder: 'H100:80GB:8' }}
        />
      </FormRow>
      <FormRow>
        <TextField
          label="Backends"
          optional
          hint="All of the project if empty."
          {...field('backends')}
          input={{ placeholder: 'aws, gcp' }}
        />
        <SelectField
          label="Spot"
          value={value.spotPolicy}
          options={SPOT}
          onChange={(next) => onChange({ ...value, spotPolicy: next })}
          error={errorOf('spot_policy')}
        />
        <TextField
          label="Terminate when idle for"
          optional
          {...field('idleDuration', 'idle_duration')}
          input={{ placeholder: '3d' }}
        />
        <TextField
          label="Price limit, $/h"
          optional
          {...field('maxPrice', 'max_price')}
          input={{ inputMode: 'decimal' }}
        />
      </FormRow>
    </>
  );
}

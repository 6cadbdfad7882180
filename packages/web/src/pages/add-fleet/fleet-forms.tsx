import type { CloudFleetForm, SshFleetForm } from '../../domain/fleets/fleet-form.ts';
import { Field, TextArea, TextField } from '../../ui/field/field.tsx';
import { FormRow } from '../../ui/form/form.tsx';
import { SelectField } from '../../ui/form/select-field.tsx';

interface FormPartProps<T> {
  readonly value: T;
  readonly onChange: (value: T) => void;
  readonly errorOf: (field: string) => string | null;
}

/** A list of hosts that the server reaches by SSH. */
export function SshFleetFields({ value, onChange, errorOf }: FormPartProps<SshFleetForm>) {
  const set = (change: Partial<SshFleetForm>) => onChange({ ...value, ...change });
  return (
    <>
      <TextField
        label="Name"
        optional
        value={value.name}
        onChange={(name) => set({ name })}
        error={errorOf('name')}
      />
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
            onChange={(event) => set({ hosts: event.target.value })}
          />
        )}
      </Field>
      <FormRow>
        <TextField
          label="Login user"
          hint="Needs sudo without a password."
          value={value.user}
          onChange={(user) => set({ user })}
          error={errorOf('user')}
          input={{ placeholder: 'ubuntu' }}
        />
        <TextField
          label="Blocks per host"
          optional
          hint="How many jobs may share a host."
          value={value.blocks}
          onChange={(blocks) => set({ blocks })}
          error={errorOf('blocks')}
          input={{ placeholder: '1', inputMode: 'numeric' }}
        />
        <TextField
          label="Private network"
          optional
          hint="For tasks on several hosts."
          value={value.network}
          onChange={(network) => set({ network })}
          error={errorOf('network')}
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
  const set = (change: Partial<CloudFleetForm>) => onChange({ ...value, ...change });
  return (
    <>
      <TextField
        label="Name"
        optional
        value={value.name}
        onChange={(name) => set({ name })}
        error={errorOf('name')}
      />
      <FormRow>
        <TextField
          label="Instances at least"
          hint="0: only when runs need them."
          value={value.min}
          onChange={(min) => set({ min })}
          error={errorOf('min') ?? errorOf('nodes')}
          input={{ inputMode: 'numeric' }}
        />
        <TextField
          label="At most"
          optional
          value={value.max}
          onChange={(max) => set({ max })}
          error={errorOf('max')}
          input={{ inputMode: 'numeric' }}
        />
        <TextField
          label="GPUs"
          optional
          hint="Name, memory, count."
          value={value.gpu}
          onChange={(gpu) => set({ gpu })}
          error={errorOf('gpu')}
          input={{ placeholder: 'H100:80GB:8' }}
        />
      </FormRow>
      <FormRow>
        <TextField
          label="Backends"
          optional
          hint="All of the project if empty."
          value={value.backends}
          onChange={(backends) => set({ backends })}
          error={errorOf('backends')}
          input={{ placeholder: 'aws, gcp' }}
        />
        <SelectField
          label="Spot"
          value={value.spotPolicy}
          options={SPOT}
          onChange={(spotPolicy) => set({ spotPolicy })}
          error={errorOf('spot_policy')}
        />
        <TextField
          label="Terminate when idle for"
          optional
          value={value.idleDuration}
          onChange={(idleDuration) => set({ idleDuration })}
          error={errorOf('idle_duration')}
          input={{ placeholder: '3d' }}
        />
        <TextField
          label="Price limit, $/h"
          optional
          value={value.maxPrice}
          onChange={(maxPrice) => set({ maxPrice })}
          error={errorOf('max_price')}
          input={{ inputMode: 'decimal' }}
        />
      </FormRow>
    </>
  );
}

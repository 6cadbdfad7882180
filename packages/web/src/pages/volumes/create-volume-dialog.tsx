import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useClient } from '../../data/session/session-context.tsx';
import { volumeKeys } from '../../data/volumes/volume-queries.ts';
import { readConfiguration } from '../../domain/configuration/read-configuration.ts';
import { toYaml } from '../../domain/format/yaml.ts';
import { ProjectField } from '../../domain/projects/project-field.tsx';
import { TextField } from '../../ui/field/field.tsx';
import { FormRow } from '../../ui/form/form.tsx';
import { FormDialog } from '../../ui/form/form-dialog.tsx';
import { SelectField } from '../../ui/form/select-field.tsx';
import { useSubmit } from '../../ui/form/use-submit.ts';
import { toast } from '../../ui/toast/toaster.tsx';

const BACKENDS = [
  { value: 'remote', label: 'Hosts', hint: 'A directory of an SSH fleet or the server’s machine' },
  { value: 'aws', label: 'AWS' },
  { value: 'gcp', label: 'GCP' },
  { value: 'runpod', label: 'RunPod' },
  { value: 'kubernetes', label: 'Kubernetes' },
] as const;
type Backend = (typeof BACKENDS)[number]['value'];

const EMPTY = { name: '', region: '', size: '', volumeId: '', zone: '' };

/** Creates a volume, or registers one that exists at the provider. */
export function CreateVolumeDialog(props: {
  readonly project: string | null;
  readonly open: boolean;
  readonly onClose: () => void;
}) {
  const { open, onClose } = props;
  const client = useClient();
  const cache = useQueryClient();
  const submission = useSubmit();
  const [project, setProject] = useState(props.project ?? 'main');
  const [backend, setBackend] = useState<Backend>('remote');
  const [form, setForm] = useState(EMPTY);
  const set = (change: Partial<typeof EMPTY>) => setForm({ ...form, ...change });
  const onHosts = backend === 'remote';
  const create = async () => {
    const done = await submission.submit(async () => {
      const text = toYaml({
        type: 'volume',
        name: form.name.trim() || null,
        backend,
        region: form.region.trim() || null,
        size: form.size.trim() || null,
        volume_id: form.volumeId.trim() || null,
        availability_zone: form.zone.trim() || null,
      });
      const configuration = await readConfiguration(text, 'volume');
      const volume = await client.project(project).volumes.create(configuration);
      await cache.invalidateQueries({ queryKey: volumeKeys.all });
      toast.done(`Volume ${volume.name} is being created`);
    });
    if (done) {
      setForm(EMPTY);
      onClose();
    }
  };
  return (
    <FormDialog
      open={open}
      onClose={onClose}
      title="New volume"
      action="Create"
      submission={submission}
      onSubmit={() => void create()}
    >
      <ProjectField value={project} onChange={setProject} />
      <TextField
        label="Name"
        optional
        value={form.name}
        onChange={(name) => set({ name })}
        error={submission.errorOf('name')}
      />
      <FormRow>
        <SelectField label="Backend" value={backend} options={BACKENDS} onChange={setBackend} />
        <TextField
          label={onHosts ? 'SSH fleet, or local' : 'Region'}
          value={form.region}
          onChange={(region) => set({ region })}
          error={submission.errorOf('region')}
          input={{ placeholder: onHosts ? 'local' : 'eu-west-1' }}
        />
      </FormRow>
      <FormRow>
        <TextField
          label="Size"
          optional
          value={form.size}
          onChange={(size) => set({ size })}
          error={submission.errorOf('size')}
          input={{ placeholder: '100GB' }}
        />
        <TextField
          label={onHosts ? 'Instance of the fleet' : 'Zone'}
          optional
          value={form.zone}
          onChange={(zone) => set({ zone })}
          error={submission.errorOf('availability_zone')}
        />
      </FormRow>
      {onHosts || backend === 'kubernetes' ? null : (
        <TextField
          label="Id at the provider"
          optional
          hint="Registers a volume that exists already."
          value={form.volumeId}
          onChange={(volumeId) => set({ volumeId })}
          error={submission.errorOf('volume_id')}
        />
      )}
    </FormDialog>
  );
}

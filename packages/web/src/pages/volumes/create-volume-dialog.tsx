import { useState } from 'react';
import { useUsualProject } from '../../data/projects/usual-project.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { volumeKeys } from '../../data/volumes/volume-queries.ts';
import { readConfiguration } from '../../domain/configuration/read-configuration.ts';
import { CreateDialog } from '../../domain/creation/create-dialog.tsx';
import { toYaml } from '../../domain/format/yaml.ts';
import { ProjectField } from '../../domain/projects/project-field.tsx';
import { TextField } from '../../ui/field/field.tsx';
import { FormRow } from '../../ui/form/form.tsx';
import { SelectField } from '../../ui/form/select-field.tsx';
import { useFields } from '../../ui/form/use-fields.ts';
import { useSubmit } from '../../ui/form/use-submit.ts';

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
  const submission = useSubmit();
  const usual = useUsualProject();
  const [chosen, setProject] = useState<string | null>(null);
  const project = chosen ?? props.project ?? usual ?? 'main';
  const [backend, setBackend] = useState<Backend>('remote');
  const { values, field, reset } = useFields(EMPTY, submission.errorOf);
  const onHosts = backend === 'remote';
  const create = async () => {
    const text = toYaml({
      type: 'volume',
      name: values.name.trim() || null,
      backend,
      region: values.region.trim() || null,
      size: values.size.trim() || null,
      volume_id: values.volumeId.trim() || null,
      availability_zone: values.zone.trim() || null,
    });
    const configuration = await readConfiguration(text, 'volume');
    const volume = await client.project(project).volumes.create(configuration);
    return `Volume ${volume.name} is being created`;
  };
  return (
    <CreateDialog
      noun="volume"
      open={open}
      onClose={onClose}
      submission={submission}
      create={create}
      changes={volumeKeys.all}
      reset={reset}
    >
      <ProjectField value={project} onChange={setProject} />
      <TextField label="Name" optional {...field('name')} />
      <FormRow>
        <SelectField
          label="Backend"
          value={backend}
          options={BACKENDS}
          onChange={setBackend}
          error={submission.errorOf('backend')}
        />
        <TextField
          label={onHosts ? 'SSH fleet, or local' : 'Region'}
          {...field('region')}
          input={{ placeholder: onHosts ? 'local' : 'eu-west-1' }}
        />
      </FormRow>
      <FormRow>
        <TextField label="Size" optional {...field('size')} input={{ placeholder: '100GB' }} />
        <TextField
          label={onHosts ? 'Instance of the fleet' : 'Zone'}
          optional
          {...field('zone', 'availability_zone')}
        />
      </FormRow>
      {onHosts || backend === 'kubernetes' ? null : (
        <TextField
          label="Id at the provider"
          optional
          hint="Registers a volume that exists already."
          {...field('volumeId', 'volume_id')}
        />
      )}
    </CreateDialog>
  );
}

import { useClient } from '../../data/session/session-context.tsx';
import { volumeKeys } from '../../data/volumes/volume-queries.ts';
import { readConfiguration } from '../../domain/configuration/read-configuration.ts';
import { CreateDialog } from '../../domain/creation/create-dialog.tsx';
import { PlaceFields, usePlace } from '../../domain/creation/place-fields.tsx';
import { toYaml } from '../../domain/format/yaml.ts';
import { ProjectField } from '../../domain/projects/project-field.tsx';
import { TextField } from '../../ui/field/field.tsx';
import { FormRow } from '../../ui/form/form.tsx';
import { useFields } from '../../ui/form/use-fields.ts';
import { useSubmit } from '../../ui/form/use-submit.ts';

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
  const place = usePlace({
    project: props.project,
    open,
    hosts: 'A directory of an SSH fleet or the server’s machine',
  });
  const { project, backend, onHosts } = place;
  const { values, field, reset } = useFields(EMPTY, submission.errorOf);
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
      <ProjectField value={project} onChange={place.setProject} />
      <TextField label="Name" optional {...field('name')} />
      <PlaceFields place={place} region={field('region')} errorOf={submission.errorOf} />
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

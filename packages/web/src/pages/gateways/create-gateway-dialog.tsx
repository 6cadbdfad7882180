import { useState } from 'react';
import { gatewayKeys } from '../../data/gateways/gateway-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { readConfiguration } from '../../domain/configuration/read-configuration.ts';
import { CreateDialog } from '../../domain/creation/create-dialog.tsx';
import { PlaceFields, usePlace } from '../../domain/creation/place-fields.tsx';
import { toYaml } from '../../domain/format/yaml.ts';
import { ProjectField } from '../../domain/projects/project-field.tsx';
import { Checkbox, TextField } from '../../ui/field/field.tsx';
import { useFields } from '../../ui/form/use-fields.ts';
import { useSubmit } from '../../ui/form/use-submit.ts';

const EMPTY = { name: '', region: '', domain: '' };

/** Creates a gateway in one of the project's backends, or on a host. */
export function CreateGatewayDialog(props: {
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
    hosts: 'A host of an SSH fleet, or the server’s machine',
  });
  const { project, backend } = place;
  const [isDefault, setDefault] = useState(true);
  const { values, field, reset } = useFields(EMPTY, submission.errorOf);
  const create = async () => {
    const text = toYaml({
      type: 'gateway',
      name: values.name.trim() || null,
      backend,
      region: values.region.trim() || null,
      domain: values.domain.trim() || null,
      default: isDefault,
    });
    const configuration = await readConfiguration(text, 'gateway');
    const { gateways } = client.project(project);
    const plan = await gateways.getPlan({ configuration, configuration_path: null });
    if (plan.current_resource !== null) {
      throw new Error(`Gateway ${plan.current_resource.name} exists already.`);
    }
    const gateway = await gateways.apply({ spec: plan.spec, current_resource: null });
    return `Gateway ${gateway.name} is being created`;
  };
  return (
    <CreateDialog
      noun="gateway"
      open={open}
      onClose={onClose}
      submission={submission}
      create={create}
      changes={gatewayKeys.all}
      reset={reset}
    >
      <ProjectField value={project} onChange={place.setProject} />
      <TextField label="Name" optional {...field('name')} />
      <PlaceFields place={place} region={field('region')} errorOf={submission.errorOf} />
      <TextField
        label="Domain"
        optional
        hint="Services get names below it. A wildcard record has to lead to the gateway."
        {...field('domain')}
        input={{ placeholder: '*.example.com' }}
      />
      <Checkbox checked={isDefault} onChange={setDefault}>
        Services use it unless they name another one
      </Checkbox>
    </CreateDialog>
  );
}

import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { gatewayKeys } from '../../data/gateways/gateway-queries.ts';
import { projectList } from '../../data/projects/project-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { readConfiguration } from '../../domain/configuration/read-configuration.ts';
import { toYaml } from '../../domain/format/yaml.ts';
import { ProjectField } from '../../domain/projects/project-field.tsx';
import { Checkbox, TextField } from '../../ui/field/field.tsx';
import { FormRow } from '../../ui/form/form.tsx';
import { FormDialog } from '../../ui/form/form-dialog.tsx';
import { SelectField } from '../../ui/form/select-field.tsx';
import { useSubmit } from '../../ui/form/use-submit.ts';
import { toast } from '../../ui/toast/toaster.tsx';

const EMPTY = { name: '', region: '', domain: '', isDefault: true };

/** Creates a gateway in one of the project's backends, or on a host. */
export function CreateGatewayDialog(props: {
  readonly project: string | null;
  readonly open: boolean;
  readonly onClose: () => void;
}) {
  const { open, onClose } = props;
  const client = useClient();
  const cache = useQueryClient();
  const submission = useSubmit();
  const { data: projects } = useQuery(projectList(client));
  const [project, setProject] = useState(props.project ?? 'main');
  const [backend, setBackend] = useState('remote');
  const [form, setForm] = useState(EMPTY);
  const set = (change: Partial<typeof EMPTY>) => setForm({ ...form, ...change });
  const own = projects?.find(({ project_name }) => project_name === project)?.backends ?? [];
  const backends = [
    { value: 'remote', label: 'Hosts', hint: 'A host of an SSH fleet, or the server’s machine' },
    ...own
      .filter(({ name }) => name !== 'remote')
      .map(({ name }) => ({ value: name as string, label: name })),
  ];
  const create = async () => {
    const done = await submission.submit(async () => {
      const text = toYaml({
        type: 'gateway',
        name: form.name.trim() || null,
        backend,
        region: form.region.trim() || null,
        domain: form.domain.trim() || null,
        default: form.isDefault,
      });
      const configuration = await readConfiguration(text, 'gateway');
      const { gateways } = client.project(project);
      const plan = await gateways.getPlan({ configuration, configuration_path: null });
      if (plan.current_resource !== null) {
        throw new Error(`Gateway ${plan.current_resource.name} exists already.`);
      }
      const gateway = await gateways.apply({ spec: plan.spec, current_resource: null });
      await cache.invalidateQueries({ queryKey: gatewayKeys.all });
      toast.done(`Gateway ${gateway.name} is being created`);
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
      title="New gateway"
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
        <SelectField label="Backend" value={backend} options={backends} onChange={setBackend} />
        <TextField
          label={backend === 'remote' ? 'SSH fleet, or local' : 'Region'}
          value={form.region}
          onChange={(region) => set({ region })}
          error={submission.errorOf('region')}
        />
      </FormRow>
      <TextField
        label="Domain"
        optional
        hint="Services get names below it. A wildcard record has to lead to the gateway."
        value={form.domain}
        onChange={(domain) => set({ domain })}
        error={submission.errorOf('domain')}
        input={{ placeholder: '*.example.com' }}
      />
      <Checkbox checked={form.isDefault} onChange={(isDefault) => set({ isDefault })}>
        Services use it unless they name another one
      </Checkbox>
    </FormDialog>
  );
}

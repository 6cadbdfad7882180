import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { projectQuery } from '../../data/projects/project-queries.ts';
import { useUsualProject } from '../../data/projects/usual-project.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { TextField } from '../../ui/field/field.tsx';
import { FormRow } from '../../ui/form/form.tsx';
import { SelectField } from '../../ui/form/select-field.tsx';
import type { BoundField } from '../../ui/form/use-fields.ts';

/** Backends of hosts, which are one choice: a host is named by the region. */
const ON_HOSTS: readonly string[] = ['remote', 'local'];

export interface CreationPlace {
  readonly project: string;
  readonly setProject: (project: string) => void;
  readonly backend: string;
  readonly setBackend: (backend: string) => void;
  readonly onHosts: boolean;
  readonly backends: readonly BackendChoice[];
}

interface BackendChoice {
  readonly value: string;
  readonly label: string;
  readonly hint?: string;
}

/**
 * Where something is created: in a project, and there on a host or in one of its backends. `project`: of the
 * page, null = of all projects; `open`: whether the form is shown; `hosts`: what a host can be, for the choice.
 */
export function usePlace(options: {
  readonly project: string | null;
  readonly open: boolean;
  readonly hosts: string;
}): CreationPlace {
  const usual = useUsualProject();
  const [chosen, setProject] = useState<string | null>(null);
  const project = chosen ?? options.project ?? usual ?? 'main';
  // Lists of projects have no backends.
  const { data } = useQuery({ ...projectQuery(useClient(), project), enabled: options.open });
  const [wanted, setBackend] = useState('remote');
  const own = (data?.backends ?? []).map(({ name }): string => name);
  const backends = [
    { value: 'remote', label: 'Hosts', hint: options.hosts },
    ...own.filter((name) => !ON_HOSTS.includes(name)).map((name) => ({ value: name, label: name })),
  ];
  // The project chosen last may not have it.
  const backend = own.includes(wanted) ? wanted : 'remote';
  return { project, setProject, backend, setBackend, onHosts: backend === 'remote', backends };
}

/** `region`: what its field is bound to; `errorOf`: the server's message about a field of the request. */
export function PlaceFields(props: {
  readonly place: CreationPlace;
  readonly region: BoundField;
  readonly errorOf: (field: string) => string | null;
}) {
  const { place, region, errorOf } = props;
  return (
    <FormRow>
      <SelectField
        label="Backend"
        value={place.backend}
        options={place.backends}
        onChange={place.setBackend}
        error={errorOf('backend')}
      />
      <TextField
        label={place.onHosts ? 'SSH fleet, or local' : 'Region'}
        {...region}
        input={{ placeholder: place.onHosts ? 'local' : 'eu-west-1' }}
      />
    </FormRow>
  );
}

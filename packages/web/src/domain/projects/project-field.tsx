import { useQuery } from '@tanstack/react-query';
import { projectList } from '../../data/projects/project-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { SelectField } from '../../ui/form/select-field.tsx';

/** The project that something is created in; shown only where there is a choice. */
export function ProjectField(props: {
  readonly value: string;
  readonly onChange: (project: string) => void;
}) {
  const { value, onChange } = props;
  const { data } = useQuery(projectList(useClient()));
  const names = data?.map(({ project_name }) => project_name) ?? [];
  if (names.length < 2 && names.includes(value)) return null;
  const known = names.includes(value) ? names : [value, ...names];
  return (
    <SelectField
      label="Project"
      value={value}
      options={known.map((name) => ({ value: name, label: name }))}
      onChange={onChange}
    />
  );
}

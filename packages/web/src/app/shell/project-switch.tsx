import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { projectList } from '../../data/projects/project-queries.ts';
import { rememberProject } from '../../data/projects/usual-project.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { Select } from '../../ui/select/select.tsx';
import styles from './project-switch.module.css';

const ALL = '';

/** Limits all lists to one project. The choice is in the URL, so that links carry it. */
export function ProjectSwitch() {
  const { project } = useSearch({ strict: false });
  const navigate = useNavigate();
  const { data } = useQuery(projectList(useClient()));
  const names = data?.map(({ project_name }) => project_name) ?? [];
  const known = project === undefined || names.includes(project) ? names : [project, ...names];
  return (
    <Select
      label="Project"
      prefix="Project"
      className={styles.switch}
      value={project ?? ALL}
      options={[
        { value: ALL, label: 'All' },
        ...known.map((name) => ({ value: name, label: name })),
      ]}
      onChange={(value) => {
        if (value !== ALL) rememberProject(value);
        void navigate({
          to: '.',
          search: (before) => ({ ...before, project: value === ALL ? undefined : value }),
        });
      }}
    />
  );
}

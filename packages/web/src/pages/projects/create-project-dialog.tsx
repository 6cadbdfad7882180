import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { projectKeys } from '../../data/projects/project-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { CreateDialog } from '../../domain/creation/create-dialog.tsx';
import { Checkbox, TextField } from '../../ui/field/field.tsx';
import { useSubmit } from '../../ui/form/use-submit.ts';

export function CreateProjectDialog(props: {
  readonly open: boolean;
  readonly onClose: () => void;
}) {
  const { open, onClose } = props;
  const client = useClient();
  const navigate = useNavigate();
  const submission = useSubmit();
  const [name, setName] = useState('');
  const [isPublic, setPublic] = useState(false);
  const create = async () => {
    const project = await client.projects.create({
      project_name: name.trim(),
      is_public: isPublic,
    });
    await navigate({ to: '/projects/$project', params: { project: project.project_name } });
    return `Project ${project.project_name} was created`;
  };
  return (
    <CreateDialog
      noun="project"
      open={open}
      onClose={onClose}
      submission={submission}
      create={create}
      changes={projectKeys.all}
    >
      <TextField
        label="Name"
        hint="Letters, digits, - and _."
        value={name}
        onChange={setName}
        error={submission.errorOf('project_name')}
      />
      <Checkbox checked={isPublic} onChange={setPublic}>
        Public: all users of this server may see it and join
      </Checkbox>
    </CreateDialog>
  );
}

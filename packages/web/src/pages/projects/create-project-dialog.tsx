import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { projectKeys } from '../../data/projects/project-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { Checkbox, TextField } from '../../ui/field/field.tsx';
import { FormDialog } from '../../ui/form/form-dialog.tsx';
import { useSubmit } from '../../ui/form/use-submit.ts';
import { toast } from '../../ui/toast/toaster.tsx';

export function CreateProjectDialog(props: {
  readonly open: boolean;
  readonly onClose: () => void;
}) {
  const { open, onClose } = props;
  const client = useClient();
  const cache = useQueryClient();
  const navigate = useNavigate();
  const submission = useSubmit();
  const [name, setName] = useState('');
  const [isPublic, setPublic] = useState(false);
  const create = () =>
    void submission.submit(async () => {
      const project = await client.projects.create({
        project_name: name.trim(),
        is_public: isPublic,
      });
      await cache.invalidateQueries({ queryKey: projectKeys.all });
      toast.done(`Project ${project.project_name} was created`);
      await navigate({ to: '/projects/$project', params: { project: project.project_name } });
    });
  return (
    <FormDialog
      open={open}
      onClose={onClose}
      title="New project"
      action="Create"
      submission={submission}
      onSubmit={create}
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
    </FormDialog>
  );
}

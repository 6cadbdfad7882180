import { useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { projectKeys } from '../../data/projects/project-queries.ts';
import { useClient, useUser } from '../../data/session/session-context.tsx';
import { adminsOnly } from '../../domain/projects/project-rights.ts';
import { Button } from '../../ui/button/button.tsx';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { ConfirmDialog } from '../../ui/dialog/confirm-dialog.tsx';
import { TextField } from '../../ui/field/field.tsx';
import { Form } from '../../ui/form/form.tsx';
import { useSubmit } from '../../ui/form/use-submit.ts';
import { Stack } from '../../ui/panel/columns.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { Properties } from '../../ui/panel/properties.tsx';
import { RelativeTime } from '../../ui/time/time.tsx';
import { toast } from '../../ui/toast/toaster.tsx';
import { useProject, useProjectRights } from './project-context.tsx';

/** How to use the project from the command line, its visibility, its templates, and its end. */
export function ProjectSettingsPage() {
  const project = useProject();
  return (
    <Stack narrow>
      <CommandLinePanel name={project.project_name} />
      <Panel title="Details">
        <Properties
          items={[
            { label: 'Owner', value: <bdi>{project.owner.username}</bdi> },
            {
              label: 'Created',
              value: project.created_at && <RelativeTime at={project.created_at} />,
            },
            { label: 'Members', value: project.members.length },
            { label: 'Id', value: <code>{project.project_id}</code>, wide: true },
          ]}
        />
      </Panel>
      <VisibilityPanel />
      <TemplatesPanel />
      <DeletePanel />
    </Stack>
  );
}

function CommandLinePanel({ name }: { readonly name: string }) {
  const { username } = useUser();
  return (
    <Panel title="Command line">
      <p>
        This command configures the project on your computer. The token is the one you sign in with;
        if you have lost it,{' '}
        <Link to="/users/$user" params={{ user: username }}>
          replace it
        </Link>
        .
      </p>
      <CommandBlock
        text={`dstack project add --url ${location.origin} --name ${name} --token YOUR_TOKEN`}
      />
    </Panel>
  );
}

function VisibilityPanel() {
  const { project_name, is_public } = useProject();
  const rights = useProjectRights();
  const client = useClient();
  const cache = useQueryClient();
  const [asked, setAsked] = useState(false);
  const change = async () => {
    await client.projects.update(project_name, { is_public: !is_public });
    await cache.invalidateQueries({ queryKey: projectKeys.all });
    toast.done(`The project is ${is_public ? 'private' : 'public'} now`);
  };
  return (
    <Panel
      title="Visibility"
      actions={
        <Button size="sm" disabledReason={adminsOnly(rights)} onClick={() => setAsked(true)}>
          Make {is_public ? 'private' : 'public'}
        </Button>
      }
    >
      <p>
        {is_public
          ? 'Public: all users of this server may see the project and join it.'
          : 'Private: only its members and global admins see the project.'}
      </p>
      <ConfirmDialog
        open={asked}
        onClose={() => setAsked(false)}
        title={`Make ${project_name} ${is_public ? 'private' : 'public'}?`}
        action={`Make ${is_public ? 'private' : 'public'}`}
        danger={!is_public}
        onConfirm={change}
      >
        <p>
          {is_public
            ? 'Users who are not members no longer see it. Members stay.'
            : 'All users of this server can then see it, and join it as users who submit runs.'}
        </p>
      </ConfirmDialog>
    </Panel>
  );
}

function TemplatesPanel() {
  const { project_name, templates_repo } = useProject();
  const rights = useProjectRights();
  const client = useClient();
  const cache = useQueryClient();
  const submission = useSubmit();
  const [repo, setRepo] = useState(templates_repo ?? '');
  const save = () =>
    void submission.submit(async () => {
      const url = repo.trim();
      await client.projects.update(
        project_name,
        url === '' ? { reset_templates_repo: true } : { templates_repo: url },
      );
      await cache.invalidateQueries({ queryKey: projectKeys.all });
      toast.done('The repository of templates was saved');
    });
  return (
    <Panel title="Templates">
      <Form
        onSubmit={save}
        error={submission.error}
        actions={
          <Button type="submit" busy={submission.busy} disabledReason={adminsOnly(rights)}>
            Save
          </Button>
        }
      >
        <TextField
          label="Git repository"
          optional
          hint="Its folder .dstack/templates has templates for launching runs."
          value={repo}
          onChange={setRepo}
          error={submission.errorOf('templates_repo')}
          input={{ placeholder: 'https://github.com/team/templates' }}
        />
      </Form>
    </Panel>
  );
}

function DeletePanel() {
  const { project_name } = useProject();
  const rights = useProjectRights();
  const client = useClient();
  const cache = useQueryClient();
  const navigate = useNavigate();
  const [asked, setAsked] = useState(false);
  const remove = async () => {
    await client.projects.delete([project_name]);
    await navigate({ to: '/projects', search: { project: undefined } });
    await cache.invalidateQueries({ queryKey: projectKeys.all });
    toast.done(`Project ${project_name} was deleted`);
  };
  return (
    <Panel
      title="Delete the project"
      actions={
        <Button
          size="sm"
          variant="danger"
          disabledReason={adminsOnly(rights)}
          onClick={() => setAsked(true)}
        >
          Delete
        </Button>
      }
    >
      <p>Its fleets, volumes and gateways have to be deleted before.</p>
      <ConfirmDialog
        open={asked}
        onClose={() => setAsked(false)}
        title={`Delete project ${project_name}?`}
        action="Delete"
        onConfirm={remove}
      >
        <p>
          Its runs, logs, secrets, tokens and backends are deleted with it. This cannot be undone.
        </p>
      </ConfirmDialog>
    </Panel>
  );
}

import type { Member, ProjectRole } from '@dstack/contract/wire';
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { LogOut, UserPlus } from 'lucide-react';
import { useMemo, useState } from 'react';
import { projectKeys } from '../../data/projects/project-queries.ts';
import { useClient, useUser } from '../../data/session/session-context.tsx';
import { managersOnly, ROLE_OPTIONS } from '../../domain/projects/project-rights.ts';
import { Button } from '../../ui/button/button.tsx';
import { ConfirmDialog } from '../../ui/dialog/confirm-dialog.tsx';
import { errorText } from '../../ui/feedback/error-text.ts';
import { TextField } from '../../ui/field/field.tsx';
import { FormDialog } from '../../ui/form/form-dialog.tsx';
import { SelectField } from '../../ui/form/select-field.tsx';
import { useSubmit } from '../../ui/form/use-submit.ts';
import { Stack } from '../../ui/panel/columns.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { Select } from '../../ui/select/select.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { DataTable } from '../../ui/table/data-table.tsx';
import { toast } from '../../ui/toast/toaster.tsx';
import { useProject, useProjectRights } from './project-context.tsx';

/** Who is in the project, and with which role. Each change is sent by itself. */
export function ProjectMembersPage() {
  const project = useProject();
  const rights = useProjectRights();
  const user = useUser();
  const client = useClient();
  const cache = useQueryClient();
  const navigate = useNavigate();
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<Member | null>(null);
  const name = project.project_name;
  const refusal = managersOnly(rights);
  const columns = useMemo(() => {
    const setRole = async ({ user: member }: Member, project_role: ProjectRole) => {
      try {
        await client.projects.addMembers(name, [{ username: member.username, project_role }]);
        await cache.invalidateQueries({ queryKey: projectKeys.all });
        toast.done(`${member.username} is ${project_role} now`);
      } catch (error) {
        toast.failed('The role could not be changed', errorText(error).what);
      }
    };
    return columnsFor(refusal === null, setRole, setRemoving);
  }, [client, cache, name, refusal]);
  const isOwn = removing?.user.id === user.id;
  const remove = async () => {
    if (removing === null) return;
    await client.projects.removeMembers(name, [removing.user.username]);
    await cache.invalidateQueries({ queryKey: projectKeys.all });
    toast.done(isOwn ? `You have left ${name}` : `${removing.user.username} was removed`);
    if (isOwn) await navigate({ to: '/projects', search: { project: undefined } });
  };
  const own = project.members.find((member) => member.user.id === user.id);
  return (
    <Stack>
      <Panel
        title="Members"
        count={project.members.length}
        flush
        actions={
          <>
            {own === undefined ? (
              project.is_public ? (
                <Button size="sm" onClick={() => void join()}>
                  Join
                </Button>
              ) : null
            ) : (
              <Button size="sm" icon={<LogOut size={13} />} onClick={() => setRemoving(own)}>
                Leave
              </Button>
            )}
            <Button
              size="sm"
              icon={<UserPlus size={13} />}
              disabledReason={refusal}
              onClick={() => setAdding(true)}
            >
              Add
            </Button>
          </>
        }
      >
        <DataTable
          label="Members"
          rows={project.members}
          columns={columns}
          rowId={(member) => member.user.id}
          rowName={(member) => member.user.username}
          empty={<p>This project has no members.</p>}
          inline
        />
      </Panel>
      {adding ? <AddMemberDialog project={name} onClose={() => setAdding(false)} /> : null}
      <ConfirmDialog
        open={removing !== null}
        onClose={() => setRemoving(null)}
        title={isOwn ? `Leave ${name}?` : `Remove ${removing?.user.username} from ${name}?`}
        action={isOwn ? 'Leave' : 'Remove'}
        onConfirm={remove}
      >
        <p>
          {isOwn ? 'You no longer see' : 'This user no longer sees'} the project. Runs that were
          submitted go on.
        </p>
      </ConfirmDialog>
    </Stack>
  );

  async function join() {
    try {
      await client.projects.addMembers(name, [{ username: user.username, project_role: 'user' }]);
      await cache.invalidateQueries({ queryKey: projectKeys.all });
      toast.done(`You have joined ${name}`);
    } catch (error) {
      toast.failed('You could not join', errorText(error).what);
    }
  }
}

function columnsFor(
  canManage: boolean,
  setRole: (member: Member, role: ProjectRole) => void,
  onRemove: (member: Member) => void,
): readonly TableColumn<Member>[] {
  return [
    {
      id: 'name',
      header: 'User',
      width: 160,
      grow: true,
      card: 'title',
      cell: ({ user }) => <bdi>{user.username}</bdi>,
    },
    {
      id: 'email',
      header: 'E-mail',
      width: 200,
      card: 'detail',
      cell: ({ user }) => user.email,
    },
    {
      id: 'role',
      header: 'Role',
      width: 150,
      card: 'status',
      cell: (member) =>
        canManage ? (
          <Select
            size="sm"
            label={`Role of ${member.user.username}`}
            value={member.project_role}
            options={ROLE_OPTIONS}
            onChange={(role) => setRole(member, role)}
          />
        ) : (
          member.project_role
        ),
    },
    {
      id: 'actions',
      header: 'Actions',
      width: 100,
      align: 'end',
      card: 'detail',
      cell: (member) =>
        canManage ? (
          <Button
            size="sm"
            variant="quiet"
            aria-label={`Remove ${member.user.username}`}
            onClick={() => onRemove(member)}
          >
            Remove
          </Button>
        ) : null,
    },
  ];
}

function AddMemberDialog(props: { readonly project: string; readonly onClose: () => void }) {
  const { project, onClose } = props;
  const client = useClient();
  const cache = useQueryClient();
  const submission = useSubmit();
  const [username, setUsername] = useState('');
  const [role, setRole] = useState<ProjectRole>('user');
  const add = async () => {
    const done = await submission.submit(async () => {
      await client.projects.addMembers(project, [
        { username: username.trim(), project_role: role },
      ]);
      await cache.invalidateQueries({ queryKey: projectKeys.all });
      toast.done(`${username.trim()} was added`);
    });
    if (done) onClose();
  };
  return (
    <FormDialog
      open
      onClose={onClose}
      title={`Add a member to ${project}`}
      action="Add"
      submission={submission}
      onSubmit={() => void add()}
    >
      <TextField
        label="User name or e-mail address"
        value={username}
        onChange={setUsername}
        error={submission.errorOf('username', 'members')}
      />
      <SelectField
        label="Role"
        value={role}
        options={ROLE_OPTIONS}
        onChange={setRole}
        error={submission.errorOf('project_role')}
      />
    </FormDialog>
  );
}

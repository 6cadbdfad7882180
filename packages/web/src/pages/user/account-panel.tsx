import type { GlobalRole, User } from '@dstack/contract/wire';
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useClient } from '../../data/session/session-context.tsx';
import { userKeys } from '../../data/users/user-queries.ts';
import { DeleteButton } from '../../domain/deletion/delete-dialog.tsx';
import { GLOBAL_ROLE_OPTIONS } from '../../domain/users/global-roles.ts';
import { USER_DELETION } from '../../domain/users/user-deletion.tsx';
import { Button } from '../../ui/button/button.tsx';
import { ConfirmDialog } from '../../ui/dialog/confirm-dialog.tsx';
import { TextField } from '../../ui/field/field.tsx';
import { Form, FormRow } from '../../ui/form/form.tsx';
import { SelectField } from '../../ui/form/select-field.tsx';
import { useSubmit } from '../../ui/form/use-submit.ts';
import { Panel } from '../../ui/panel/panel.tsx';
import { toast } from '../../ui/toast/toaster.tsx';

/** The account of a user, for global admins: address, role, activation and deletion. */
export function AccountPanel({ user, isOwn }: { readonly user: User; readonly isOwn: boolean }) {
  const client = useClient();
  const cache = useQueryClient();
  const navigate = useNavigate();
  const submission = useSubmit();
  const [email, setEmail] = useState(user.email ?? '');
  const [role, setRole] = useState<GlobalRole>(user.global_role);
  const [asked, setAsked] = useState(false);
  const update = async (change: Partial<User>, message: string) => {
    await client.users.update({
      username: user.username,
      global_role: change.global_role ?? user.global_role,
      email: change.email === undefined ? user.email : change.email,
      active: change.active ?? user.active,
    });
    await cache.invalidateQueries({ queryKey: userKeys.all });
    toast.done(message);
  };
  const save = () =>
    void submission.submit(() =>
      update({ email: email.trim() || null, global_role: role }, `${user.username} was saved`),
    );
  const ownRefusal = isOwn ? 'You cannot do this to yourself' : null;
  return (
    <Panel title="Account">
      <Form
        onSubmit={save}
        error={submission.error}
        actions={
          <>
            <DeleteButton
              kind={USER_DELETION}
              items={[user.username]}
              disabledReason={ownRefusal}
              onDone={() => void navigate({ to: '/users' })}
            />
            {user.active ? (
              <Button disabledReason={ownRefusal} onClick={() => setAsked(true)}>
                Deactivate
              </Button>
            ) : (
              <Button
                onClick={() =>
                  void submission.submit(() =>
                    update({ active: true }, `${user.username} may sign in again`),
                  )
                }
              >
                Activate
              </Button>
            )}
            <Button type="submit" variant="primary" busy={submission.busy}>
              Save
            </Button>
          </>
        }
      >
        <FormRow>
          <TextField
            label="E-mail address"
            optional
            value={email}
            onChange={setEmail}
            error={submission.errorOf('email')}
            input={{ type: 'email' }}
          />
          <SelectField
            label="Global role"
            value={role}
            options={GLOBAL_ROLE_OPTIONS}
            onChange={setRole}
            error={submission.errorOf('global_role')}
          />
        </FormRow>
      </Form>
      <ConfirmDialog
        open={asked}
        onClose={() => setAsked(false)}
        title={`Deactivate ${user.username}?`}
        action="Deactivate"
        onConfirm={() => update({ active: false }, `${user.username} was deactivated`)}
      >
        <p>Tokens and sessions are refused until the user is active again. Runs go on.</p>
      </ConfirmDialog>
    </Panel>
  );
}

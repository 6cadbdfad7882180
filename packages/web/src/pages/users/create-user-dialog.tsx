import type { GlobalRole } from '@dstack/contract/wire';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useClient } from '../../data/session/session-context.tsx';
import { userKeys } from '../../data/users/user-queries.ts';
import { GLOBAL_ROLE_OPTIONS } from '../../domain/users/global-roles.ts';
import { TextField } from '../../ui/field/field.tsx';
import { FormDialog } from '../../ui/form/form-dialog.tsx';
import { SelectField } from '../../ui/form/select-field.tsx';
import { useSubmit } from '../../ui/form/use-submit.ts';

/** Adds a user; the token is shown afterwards, once. */
export function CreateUserDialog(props: {
  readonly onClose: () => void;
  readonly onCreated: (created: { name: string; token: string }) => void;
}) {
  const { onClose, onCreated } = props;
  const client = useClient();
  const cache = useQueryClient();
  const submission = useSubmit();
  const [name, setName] = useState('');
  const [email, setEmail] = useState('');
  const [role, setRole] = useState<GlobalRole>('user');
  const create = async () => {
    const username = name.trim();
    const done = await submission.submit(async () => {
      await client.users.create({
        username,
        global_role: role,
        email: email.trim() || null,
        active: true,
      });
      await cache.invalidateQueries({ queryKey: userKeys.all });
      // The answers to a browser's session have no tokens except new ones.
      const { creds } = await client.users.refreshToken(username);
      onCreated({ name: username, token: creds.token });
    });
    if (done) onClose();
  };
  return (
    <FormDialog
      open
      onClose={onClose}
      title="New user"
      action="Create"
      submission={submission}
      onSubmit={() => void create()}
    >
      <TextField
        label="User name"
        hint="Letters, digits, - and _."
        value={name}
        onChange={setName}
        error={submission.errorOf('username')}
      />
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
    </FormDialog>
  );
}

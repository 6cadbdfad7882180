import type { ServiceTokenScope } from '@dstack/contract/wire';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { projectKeys } from '../../data/projects/project-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { namesIn, parsedLimit } from '../../domain/projects/token-limits.ts';
import { TextField } from '../../ui/field/field.tsx';
import { FormDialog } from '../../ui/form/form-dialog.tsx';
import { SelectField } from '../../ui/form/select-field.tsx';
import { useSubmit } from '../../ui/form/use-submit.ts';

const SCOPES = [
  { value: 'models', label: 'Models', hint: 'Only requests to models, within limits' },
  { value: 'services', label: 'Services', hint: 'Only requests to some services' },
  { value: 'read', label: 'Read', hint: 'Sees everything, changes nothing' },
  { value: 'user', label: 'User', hint: 'Submits and stops runs' },
  { value: 'manager', label: 'Manager', hint: 'Also manages members and secrets' },
  { value: 'admin', label: 'Admin', hint: 'Everything in this project' },
] as const;

const DAY = 86_400;
const LIFETIMES = [
  { value: `${7 * DAY}`, label: '7 days' },
  { value: `${30 * DAY}`, label: '30 days' },
  { value: `${90 * DAY}`, label: '90 days' },
  { value: `${365 * DAY}`, label: 'A year' },
  { value: '', label: 'Until it is revoked' },
];

const LIMITS = [
  { key: 'requests_per_minute', label: 'Requests per minute', example: '60' },
  { key: 'tokens_per_day', label: 'Tokens per day', example: '200k' },
  { key: 'tokens_per_month', label: 'Tokens per month', example: '3M' },
] as const;

type TokenLimitTexts = Readonly<
  Record<(typeof LIMITS)[number]['key'] | 'models' | 'services', string>
>;

const NO_LIMITS: TokenLimitTexts = {
  models: '',
  services: '',
  requests_per_minute: '',
  tokens_per_day: '',
  tokens_per_month: '',
};

/** A token for a program; those for models can have limits. */
export function CreateTokenDialog(props: {
  readonly project: string;
  readonly onClose: () => void;
  readonly onCreated: (token: string) => void;
}) {
  const { project, onClose, onCreated } = props;
  const client = useClient();
  const cache = useQueryClient();
  const submission = useSubmit();
  const [name, setName] = useState('');
  const [scope, setScope] = useState<ServiceTokenScope>('user');
  const [lifetime, setLifetime] = useState(`${90 * DAY}`);
  const [limits, setLimits] = useState(NO_LIMITS);
  const [shown, setShown] = useState(false);
  const set = (change: Partial<TokenLimitTexts>) => setLimits({ ...limits, ...change });
  const numbers = LIMITS.map(({ key }) => parsedLimit(limits[key]));
  const create = async () => {
    setShown(true);
    const isLimited = scope === 'models';
    if (isLimited && numbers.includes(undefined)) return;
    const [rate, day, month] = numbers;
    const done = await submission.submit(async () => {
      const { token } = await client.project(project).serviceTokens.create({
        name: name.trim(),
        scope,
        expires_in: lifetime === '' ? null : Number(lifetime),
        ...(isLimited
          ? {
              models: namesIn(limits.models),
              requests_per_minute: rate ?? null,
              tokens_per_day: day ?? null,
              tokens_per_month: month ?? null,
            }
          : {}),
        ...(scope === 'services' ? { services: namesIn(limits.services) } : {}),
      });
      await cache.invalidateQueries({ queryKey: projectKeys.all });
      onCreated(token);
    });
    if (done) onClose();
  };
  return (
    <FormDialog
      open
      onClose={onClose}
      title="Create a service token"
      action="Create"
      submission={submission}
      onSubmit={() => void create()}
    >
      <TextField
        label="Name"
        value={name}
        onChange={setName}
        error={submission.errorOf('name')}
        input={{ placeholder: 'ci' }}
      />
      <SelectField
        label="Scope"
        value={scope}
        options={SCOPES}
        onChange={setScope}
        error={submission.errorOf('scope')}
      />
      {scope === 'models' ? (
        <>
          <TextField
            label="Models"
            value={limits.models}
            onChange={(models) => set({ models })}
            error={submission.errorOf('models')}
            input={{ placeholder: 'all; or names, separated by commas' }}
          />
          {LIMITS.map(({ key, label, example }, index) => (
            <TextField
              key={key}
              label={label}
              value={limits[key]}
              onChange={(text) => set({ [key]: text })}
              error={
                shown && numbers[index] === undefined
                  ? `Enter a whole number above 0 such as ${example}, or nothing`
                  : submission.errorOf(key)
              }
              input={{ placeholder: `no limit; or a number such as ${example}` }}
            />
          ))}
        </>
      ) : null}
      {scope === 'services' ? (
        <TextField
          label="Services"
          value={limits.services}
          onChange={(services) => set({ services })}
          error={submission.errorOf('services')}
          input={{ placeholder: 'names, separated by commas' }}
        />
      ) : null}
      <SelectField
        label="Valid for"
        value={lifetime}
        options={LIFETIMES}
        onChange={setLifetime}
        error={submission.errorOf('expires_in')}
      />
    </FormDialog>
  );
}

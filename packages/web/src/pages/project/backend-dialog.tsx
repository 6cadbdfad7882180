import { BACKEND_FORMS, backendConfiguration, backendLabel } from '@dstack/contract/backend-forms';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { projectKeys, projectPart } from '../../data/projects/project-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { toYaml } from '../../domain/format/yaml.ts';
import { errorText } from '../../ui/feedback/error-text.ts';
import { InlineError } from '../../ui/feedback/inline-error.tsx';
import { Skeleton } from '../../ui/feedback/skeleton.tsx';
import { CodeArea, Field, TextField } from '../../ui/field/field.tsx';
import { Segments } from '../../ui/field/segments.tsx';
import { FormDialog } from '../../ui/form/form-dialog.tsx';
import { SelectField } from '../../ui/form/select-field.tsx';
import { type FormSubmission, useSubmit } from '../../ui/form/use-submit.ts';
import { toast } from '../../ui/toast/toaster.tsx';

interface BackendDialogProps {
  readonly project: string;
  /** The type of the backend to change; null: add one. */
  readonly existing: string | null;
  readonly onClose: () => void;
}

/** Adds a backend by form or as YAML, or changes one as YAML, with its secrets masked. */
export function BackendDialog(props: BackendDialogProps) {
  return props.existing === null ? (
    <AddBackend {...props} />
  ) : (
    <EditBackend {...props} existing={props.existing} />
  );
}

function AddBackend({ project, onClose }: BackendDialogProps) {
  const client = useClient();
  const save = useSaveBackend(project, onClose);
  const { data: types = [] } = useQuery({
    queryKey: ['server', 'backend-types'],
    queryFn: () => client.server.listBackendTypes(),
    staleTime: Number.POSITIVE_INFINITY,
  });
  const [type, setType] = useState('aws');
  const [way, setWay] = useState<'form' | 'yaml'>('form');
  const [values, setValues] = useState<Readonly<Record<string, string>>>({});
  const [yaml, setYaml] = useState('');
  const form = BACKEND_FORMS[type];
  const asYaml = way === 'yaml' || form === undefined;
  const options = [...new Set([type, ...types])]
    .filter((name) => name !== 'dstack')
    .map((value) => ({ value, label: backendLabel(value) }))
    .sort((a, b) => a.label.localeCompare(b.label));
  const written = () => toYaml(backendConfiguration(type, values));
  const text = () => (asYaml ? yaml || `type: ${type}\n` : written());
  return (
    <FormDialog
      open
      wide
      onClose={onClose}
      title="Add a backend"
      action="Add"
      submission={save.submission}
      onSubmit={() => save.run((backends) => backends.createYaml(text()), `${type} was added`)}
    >
      <SelectField
        label="Backend"
        value={type}
        options={options}
        onChange={(next) => {
          setType(next);
          setYaml('');
        }}
      />
      <Segments
        label="How to describe it"
        value={asYaml ? 'yaml' : 'form'}
        options={form === undefined ? [['yaml', 'YAML']] : WAYS}
        onChange={(next) => {
          if (next === 'yaml') setYaml(written());
          setWay(next);
        }}
      />
      {asYaml || form.before === undefined ? null : (
        <p>
          {form.before.text}{' '}
          <a href={form.before.url} target="_blank" rel="noreferrer">
            {form.before.url.replace('https://', '')}
          </a>
        </p>
      )}
      {asYaml ? (
        <YamlField
          value={yaml || `type: ${type}\n`}
          onChange={setYaml}
          error={save.submission.error}
        />
      ) : (
        form.fields.map((field) => {
          const value = values[field.path] ?? '';
          const onChange = (next: string) => setValues({ ...values, [field.path]: next });
          const shared = {
            label: field.label,
            error: save.submission.errorOf(field.path.split('.').at(-1) ?? field.path),
            ...(field.optional === undefined ? {} : { optional: field.optional }),
            ...(field.hint === undefined ? {} : { hint: field.hint }),
          };
          return field.lines === undefined ? (
            <TextField
              key={field.path}
              {...shared}
              {...(field.secret && { input: { type: 'password' } })}
              value={value}
              onChange={onChange}
            />
          ) : (
            <Field key={field.path} {...shared}>
              {(control) => (
                <CodeArea
                  {...control}
                  rows={field.lines}
                  value={value}
                  onChange={(event) => onChange(event.target.value)}
                />
              )}
            </Field>
          );
        })
      )}
    </FormDialog>
  );
}

const WAYS = [
  ['form', 'Form'],
  ['yaml', 'YAML'],
] as const;

function EditBackend(props: BackendDialogProps & { readonly existing: string }) {
  const { project, existing, onClose } = props;
  const client = useClient();
  const save = useSaveBackend(project, onClose);
  const { data, error } = useQuery(
    projectPart(project, `backend-${existing}`, () =>
      client.project(project).backends.getYaml(existing),
    ),
  );
  const [yaml, setYaml] = useState<string | null>(null);
  const text = yaml ?? data?.config_yaml ?? '';
  return (
    <FormDialog
      open
      wide
      onClose={onClose}
      title={`Backend ${backendLabel(existing)}`}
      description="Masked values stay as they are unless you replace them."
      action="Save"
      submission={save.submission}
      onSubmit={() => save.run((backends) => backends.updateYaml(text), `${existing} was changed`)}
    >
      {error === null ? null : <InlineError text={errorText(error).what} />}
      {data === undefined && error === null ? (
        <Skeleton lines={5} />
      ) : (
        <YamlField value={text} onChange={setYaml} error={save.submission.error} />
      )}
    </FormDialog>
  );
}

/** The text is one field, so every refusal is about it. */
function YamlField(props: {
  readonly value: string;
  readonly onChange: (text: string) => void;
  readonly error: string | null;
}) {
  return (
    <Field label="Configuration" error={props.error}>
      {(control) => (
        <CodeArea
          {...control}
          rows={14}
          value={props.value}
          onChange={(event) => props.onChange(event.target.value)}
        />
      )}
    </Field>
  );
}

function useSaveBackend(project: string, onClose: () => void) {
  const client = useClient();
  const cache = useQueryClient();
  const submission: FormSubmission = useSubmit();
  const run = async (
    call: (backends: ReturnType<typeof client.project>['backends']) => Promise<void>,
    message: string,
  ) => {
    const done = await submission.submit(async () => {
      await call(client.project(project).backends);
      await cache.invalidateQueries({ queryKey: projectKeys.all });
      toast.done(message);
    });
    if (done) onClose();
  };
  return {
    submission,
    run: (...args: Parameters<typeof run>) => void run(...args),
  };
}

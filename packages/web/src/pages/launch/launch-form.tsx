import { readSource, type SourceProblem } from '../../domain/launch/configuration-source.ts';
import {
  type FormField,
  fieldProblem,
  fieldsOf,
  otherProblems,
  readField,
  writeField,
} from '../../domain/launch/form-fields.ts';
import {
  type ConfigurationSchema,
  isRunType,
  LAUNCH_TYPES,
  type RunType,
} from '../../domain/launch/json-schema.ts';
import { Field, TextArea, TextField } from '../../ui/field/field.tsx';
import { Segments } from '../../ui/field/segments.tsx';
import { Select } from '../../ui/select/select.tsx';
import styles from './launch.module.css';
import { ProblemList } from './problem-list.tsx';

interface LaunchFormProps {
  readonly schema: ConfigurationSchema;
  readonly text: string;
  readonly problems: readonly SourceProblem[];
  readonly onChange: (text: string) => void;
}

const TYPE: FormField = { path: ['type'], label: 'Type' };

/** The common keys as a form. It edits the same text, and leaves the rest of it alone. */
export function LaunchForm({ schema, text, problems, onChange }: LaunchFormProps) {
  const source = readSource(text);
  if (source.kind === 'invalid') {
    return (
      <>
        <p className={styles.notice}>The text is not valid YAML. Correct it as text first.</p>
        <ProblemList problems={problems} />
      </>
    );
  }
  const { type: written } = source.value;
  const type = isRunType(written) ? written : 'task';
  const fields = fieldsOf(schema, type);
  const change = (field: FormField) => (value: string) => onChange(writeField(text, field, value));
  return (
    <form className={styles.form} aria-label="Configuration" onSubmit={(e) => e.preventDefault()}>
      <div className={styles.wide}>
        <Segments<RunType>
          label="Type"
          value={type}
          options={LAUNCH_TYPES.map((one) => [one, TYPE_NAMES[one]] as const)}
          onChange={change(TYPE)}
        />
      </div>
      {fields.map((field) => (
        <div key={field.path.join('.')} className={field.lines ? styles.wide : undefined}>
          <FormControl
            field={field}
            words={schema.choices(type, field.path)}
            value={readField(text, field)}
            hint={schema.description(type, field.path[0] ?? '')}
            error={fieldProblem(field, problems)}
            onChange={change(field)}
          />
        </div>
      ))}
      <div className={styles.wide}>
        <ProblemList problems={otherProblems(fields, problems)} />
      </div>
    </form>
  );
}

const TYPE_NAMES = { task: 'Task', service: 'Service', 'dev-environment': 'Dev environment' };

interface FormControlProps {
  readonly field: FormField;
  readonly words: readonly string[];
  /** Null: only the text can show it. */
  readonly value: string | null;
  readonly hint: string;
  readonly error: string | null;
  readonly onChange: (value: string) => void;
}

function FormControl({ field, words, value, hint, error, onChange }: FormControlProps) {
  const { label, placeholder, lines, path } = field;
  if (value === null) {
    return (
      <Field label={label} error={error}>
        {(control) => (
          <output {...control} className={styles.notice}>
            It has parts of its own. Edit it as YAML.
          </output>
        )}
      </Field>
    );
  }
  if (lines) {
    return (
      <Field label={label} hint={hint} error={error}>
        {(control) => (
          <TextArea
            {...control}
            rows={4}
            placeholder={placeholder}
            value={value}
            onChange={(event) => onChange(event.target.value)}
          />
        )}
      </Field>
    );
  }
  if (words.length > 0 && path[0] !== 'python') {
    const known = words.includes(value) || value === '' ? words : [value, ...words];
    return (
      <Field label={label} error={error}>
        {() => (
          <Select
            label={label}
            value={value}
            options={[
              { value: '', label: 'Not set' },
              ...known.map((word) => ({ value: word, label: word })),
            ]}
            onChange={onChange}
          />
        )}
      </Field>
    );
  }
  return (
    <TextField
      label={label}
      value={value}
      onChange={onChange}
      error={error}
      {...(path.length > 1 || hint === '' ? {} : { hint })}
      input={{ placeholder }}
    />
  );
}

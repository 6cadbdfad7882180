import { Field } from '../field/field.tsx';
import { Select } from '../select/select.tsx';
import type { SelectOption } from '../select/select-props.ts';
import styles from './form.module.css';

export interface SelectFieldProps<T extends string> {
  readonly label: string;
  readonly value: T;
  readonly options: readonly SelectOption<T>[];
  readonly onChange: (value: T) => void;
  readonly error?: string | null;
  readonly hint?: string;
}

/** A choice among the fields of a form. */
export function SelectField<T extends string>(props: SelectFieldProps<T>) {
  const { label, error = null, hint, ...select } = props;
  return (
    <Field label={label} error={error} {...(hint === undefined ? {} : { hint })}>
      {(control) => <Select {...control} label={label} className={styles.select} {...select} />}
    </Field>
  );
}

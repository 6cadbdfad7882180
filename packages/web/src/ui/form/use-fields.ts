import { useState } from 'react';

type Texts<T> = { readonly [K in keyof T]: string };

export interface FormFields<T extends Texts<T>> {
  readonly values: T;
  readonly reset: () => void;
  /** The props of a text field. `path`: the field in the request, if it has another name there. */
  readonly field: (name: keyof T & string, path?: string) => BoundField;
}

export interface BoundField {
  readonly value: string;
  readonly onChange: (text: string) => void;
  readonly error: string | null;
}

/** The texts of a form, each with the message that the server has for it. */
export function useFields<T extends Texts<T>>(
  initial: T,
  errorOf: (path: string) => string | null,
): FormFields<T> {
  const [values, setValues] = useState(initial);
  return {
    values,
    reset: () => setValues(initial),
    field: boundFields(values, setValues, errorOf),
  };
}

/** The same for values that are kept elsewhere. */
export function boundFields<T extends Texts<T>>(
  values: T,
  onChange: (values: T) => void,
  errorOf: (path: string) => string | null,
): FormFields<T>['field'] {
  return (name, path = name) => ({
    value: values[name],
    onChange: (text) => onChange({ ...values, [name]: text }),
    error: errorOf(path),
  });
}

import { ApiError, ResourceExistsError } from '@dstack/client';
import { useState } from 'react';
import { errorText } from '../feedback/error-text.ts';

export interface FormSubmission {
  readonly busy: boolean;
  /** The message of the last attempt if it failed, also if it is about a field; null: it did not fail. */
  readonly error: string | null;
  /** The message about a field, by the last part of its path in the request; by any of several. */
  readonly errorOf: (...fields: readonly string[]) => string | null;
  /** The same, by the last parts of its path, where several fields have one name: `limit`, `gpu`. */
  readonly errorAt: (...path: readonly string[]) => string | null;
  /** Runs the call; true if it succeeded. */
  readonly submit: (call: () => Promise<unknown>) => Promise<boolean>;
  readonly reset: () => void;
}

interface Failure {
  readonly text: string;
  /** Paths without the places in lists. */
  readonly fields: readonly (readonly string[])[];
}

/** The state of a form that is sent to the server: one attempt at a time, errors at their fields. */
export function useSubmit(): FormSubmission {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  return {
    busy,
    error: failure?.text ?? null,
    errorOf: (...fields) =>
      failure?.fields.some((path) => fields.includes(path.at(-1) ?? '')) ? failure.text : null,
    errorAt: (...path) =>
      failure?.fields.some((each) => endsWith(each, path)) ? failure.text : null,
    async submit(call) {
      if (busy) return false;
      setBusy(true);
      setFailure(null);
      try {
        await call();
        return true;
      } catch (error) {
        setFailure({ text: errorText(error).what, fields: fieldsOf(error) });
        return false;
      } finally {
        setBusy(false);
      }
    },
    reset: () => setFailure(null),
  };
}

/** The names of what is created in requests that have only one. */
const NAMES = ['name', 'project_name', 'username'];

function fieldsOf(error: unknown): Failure['fields'] {
  if (error instanceof ResourceExistsError && error.fields.length === 0) {
    return NAMES.map((name) => [name]);
  }
  return error instanceof ApiError ? error.fields.map(names) : [];
}

const endsWith = (path: readonly string[], end: readonly string[]): boolean =>
  end.length <= path.length && end.every((part, i) => path[path.length - end.length + i] === part);

/** `exported_fleets` of `exported_fleets.0`. */
const names = (path: readonly string[]): readonly string[] =>
  path.filter((part) => !/^\d+$/.test(part));

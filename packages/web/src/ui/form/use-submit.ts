import { ApiError } from '@dstack/client';
import { useState } from 'react';
import { errorText } from '../feedback/error-text.ts';

export interface FormSubmission {
  readonly busy: boolean;
  /** What the server refused, as a whole. */
  readonly error: string | null;
  /** The message about a field, by the last part of its path in the request. */
  readonly errorOf: (field: string) => string | null;
  /** Runs the call; true if it succeeded. */
  readonly submit: (call: () => Promise<unknown>) => Promise<boolean>;
  readonly reset: () => void;
}

interface Failure {
  readonly text: string;
  readonly fields: readonly string[];
}

/** The state of a form that is sent to the server: one attempt at a time, errors at their fields. */
export function useSubmit(): FormSubmission {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  return {
    busy,
    error: failure?.text ?? null,
    errorOf: (field) => (failure?.fields.includes(field) ? failure.text : null),
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

function fieldsOf(error: unknown): readonly string[] {
  return error instanceof ApiError ? error.fields.flatMap((path) => path.at(-1) ?? []) : [];
}

import { errorMessage } from '@dstack/contract/error-message';

/** Structured lines of JSON on stderr. Values must not hold secrets: ids, counts, messages only. */
export interface EventLogger {
  info(event: string, fields?: Readonly<Record<string, unknown>>): void;
  error(event: string, error: unknown, fields?: Readonly<Record<string, unknown>>): void;
  child(fields: Readonly<Record<string, unknown>>): EventLogger;
}

export function createEventLogger(
  write: (line: string) => void,
  scope: Readonly<Record<string, unknown>> = {},
): EventLogger {
  const line = (level: string, event: string, fields: Readonly<Record<string, unknown>>): void =>
    write(
      `${JSON.stringify({ time: new Date().toISOString(), level, event, ...scope, ...fields })}\n`,
    );
  return {
    info: (event, fields = {}) => line('info', event, fields),
    error: (event, error, fields = {}) =>
      line('error', event, {
        ...fields,
        error: errorMessage(error),
      }),
    child: (fields) => createEventLogger(write, { ...scope, ...fields }),
  };
}

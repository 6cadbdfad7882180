import type { LogEvent } from 'kysely';

/** Receives the text of every statement, without its values, which may be secrets. */
export type OnStatement = (sql: string) => void;

/** The listener in the form that Kysely requires. */
export function statementLog(onStatement: OnStatement | undefined) {
  if (!onStatement) return undefined;
  return (event: LogEvent) => {
    if (event.level === 'query') onStatement(event.query.sql);
  };
}

import type { LogEvent } from 'kysely';

/** Hears the text of every statement, without its values: those may be secrets. */
export type OnStatement = (sql: string) => void;

/** The listener in the form in which Kysely takes one. */
export function statementLog(onStatement: OnStatement | undefined) {
  if (!onStatement) return undefined;
  return (event: LogEvent) => {
    if (event.level === 'query') onStatement(event.query.sql);
  };
}

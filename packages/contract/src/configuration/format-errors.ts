import type { ConfigurationError, ConfigurationWarning } from './finding.ts';

/**
 * Findings as text for users, one block each: the place, the problem, the line itself and a
 * suggestion. `file`: as the user wrote it.
 */
export function formatConfigurationErrors(
  errors: readonly (ConfigurationError | ConfigurationWarning)[],
  file: string,
  text: string,
): string {
  const lines = text.split(/\r?\n/);
  return errors.map((error) => formatOne(error, file, lines)).join('\n\n');
}

function formatOne(
  error: ConfigurationError | ConfigurationWarning,
  file: string,
  lines: readonly string[],
): string {
  const subject = error.path === '' ? 'the configuration' : error.path;
  const hint =
    'suggestion' in error && error.suggestion ? ` (did you mean '${error.suggestion}'?)` : '';
  const head = `${file}:${error.line}:${error.column}: ${subject} ${error.message}${hint}`;
  const line = lines[error.line - 1];
  if (line === undefined || line.trim() === '') return head;
  const number = String(error.line);
  const pointer = `${' '.repeat(number.length + 3 + error.column - 1)}^`;
  return `${head}\n${number} | ${line}\n${pointer}`;
}

import type { ConfigurationError, ConfigurationWarning } from './finding.ts';

/**
 * Findings as text for users, one block each: the place, the problem, the line itself and a
 * suggestion. `file`: as the user wrote it. `wrap`: breaks the lines that are not lines of the file.
 */
export function formatConfigurationErrors(
  errors: readonly (ConfigurationError | ConfigurationWarning)[],
  file: string,
  text: string,
  wrap: (line: string) => string = (line) => line,
): string {
  const lines = text.split(/\r?\n/);
  return errors.map((error) => formatOne(error, file, lines, wrap)).join('\n\n');
}

function formatOne(
  error: ConfigurationError | ConfigurationWarning,
  file: string,
  lines: readonly string[],
  wrap: (line: string) => string,
): string {
  const subject = error.path === '' ? 'the configuration' : error.path;
  const hint =
    'suggestion' in error && error.suggestion ? ` (did you mean '${error.suggestion}'?)` : '';
  const head = wrap(`${file}:${error.line}:${error.column}: ${subject} ${error.message}${hint}`);
  const line = lines[error.line - 1];
  if (line === undefined || line.trim() === '') return head;
  const number = String(error.line);
  const { excerpt, column } = excerptOf(line, error.column);
  const pointer = `${' '.repeat(number.length + 3 + column - 1)}^`;
  return `${head}\n${number} | ${excerpt}\n${pointer}`;
}

/** Longest line that is shown whole. */
const WHOLE_LINE = 200;

/** Shown of a longer line, before and after the column. */
const AROUND = 80;

/** The part of a line around a column: a generated file may be a single line. */
function excerptOf(
  line: string,
  column: number,
): { readonly excerpt: string; readonly column: number } {
  if (line.length <= WHOLE_LINE) return { excerpt: line, column };
  const start = Math.max(0, column - 1 - AROUND);
  const end = column - 1 + AROUND;
  const excerpt = `${start > 0 ? '…' : ''}${line.slice(start, end)}${end < line.length ? '…' : ''}`;
  return { excerpt, column: column - start + (start > 0 ? 1 : 0) };
}

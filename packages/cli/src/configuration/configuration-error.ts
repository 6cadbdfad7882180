import type { ConfigurationWarning } from '@dstack/contract';
import { CliError } from '../errors.ts';
import { hangingText } from '../terminal/text-width.ts';

const MAX_SHOWN = 5;

/** An error that shows each problem with its place in the file. */
export async function configurationError(
  file: string,
  text: string,
  problems: readonly ConfigurationWarning[],
  next = `correct the file, then: dstack validate ${file}`,
): Promise<CliError> {
  const { formatConfigurationErrors } = await import('@dstack/contract');
  const name = shownName(file);
  const more = problems.length - MAX_SHOWN;
  const excerpt = (width: number | null): string => {
    const wrap = (line: string) => hangingText(line, 2, width);
    const shown = formatConfigurationErrors(problems.slice(0, MAX_SHOWN), name, text, wrap);
    return `${shown}${more > 0 ? `\n… and ${more} more` : ''}\n`;
  };
  return new CliError(`${name} is not valid`, { excerpt, next });
}

/** `-` would look like a list item. */
export function shownName(file: string): string {
  return file === '-' ? '<stdin>' : file;
}

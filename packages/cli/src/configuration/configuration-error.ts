import type { ConfigurationWarning } from '@dstack/contract';
import { CliError } from '../errors.ts';

const MAX_SHOWN = 5;

/** An error that shows each problem with its place in the file. */
export async function configurationError(
  file: string,
  text: string,
  problems: readonly ConfigurationWarning[],
): Promise<CliError> {
  const { formatConfigurationErrors } = await import('@dstack/contract');
  const name = shownName(file);
  const shown = formatConfigurationErrors(problems.slice(0, MAX_SHOWN), name, text);
  const more = problems.length - MAX_SHOWN;
  return new CliError(`${name} is not valid`, {
    excerpt: `${shown}${more > 0 ? `\n… and ${more} more` : ''}\n`,
    next: `correct the file, then: dstack validate ${file}`,
  });
}

/** `-` would look like a list item. */
export function shownName(file: string): string {
  return file === '-' ? '<stdin>' : file;
}

import type { AnyConfiguration } from '@dstack/contract';

/** A text that is not a configuration; each problem with its line. */
export class ConfigurationTextError extends Error {
  override readonly name = 'ConfigurationTextError';
}

type OfType<T extends AnyConfiguration['type']> = Extract<AnyConfiguration, { type: T }>;

/**
 * Reads a configuration of one type; the server checks its values. The reader of YAML is loaded when it is
 * first needed. The whole grammar would make the first load of every page larger, as it shares the schema
 * library with the frame.
 *
 * @throws ConfigurationTextError
 */
export async function readConfiguration<T extends AnyConfiguration['type']>(
  text: string,
  type: T,
): Promise<OfType<T>> {
  return (await sourceOf(text, type)).configuration;
}

/**
 * Reads a configuration and sends it. What the server refuses about it is reported at its lines.
 *
 * @throws ConfigurationTextError
 */
export async function sendConfiguration<T extends AnyConfiguration['type'], R>(
  text: string,
  type: T,
  send: (configuration: OfType<T>) => Promise<R>,
): Promise<R> {
  const { configuration, lineOf } = await sourceOf(text, type);
  try {
    return await send(configuration);
  } catch (error) {
    const { serverProblems } = await import('../launch/server-problems.ts');
    const problems = serverProblems(error, lineOf);
    if (problems.length === 0) throw error;
    const lines = problems.map(({ line, message }) => `Line ${line}: ${message}`);
    throw new ConfigurationTextError(lines.join('\n'), { cause: error });
  }
}

async function sourceOf<T extends AnyConfiguration['type']>(text: string, type: T) {
  const { readSource } = await import('../launch/configuration-source.ts');
  const source = readSource(text);
  if (source.kind === 'invalid') {
    const { line, message } = source.problem;
    throw new ConfigurationTextError(`Line ${line}: ${message}`);
  }
  const { type: written } = source.value;
  if (written !== type) {
    throw new ConfigurationTextError(
      written === undefined
        ? `Line 1: type: ${type} is missing.`
        : `This is a ${written}, not a ${type}.`,
    );
  }
  return { configuration: source.value as unknown as OfType<T>, lineOf: source.lineOf };
}

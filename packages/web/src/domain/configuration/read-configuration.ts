import type { AnyConfiguration } from '@dstack/contract';

/** A text that is not a configuration; each problem with its line. */
export class ConfigurationTextError extends Error {
  override readonly name = 'ConfigurationTextError';
}

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
): Promise<Extract<AnyConfiguration, { type: T }>> {
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
  return source.value as unknown as Extract<AnyConfiguration, { type: T }>;
}

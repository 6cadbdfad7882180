import type { AnyConfiguration } from '@dstack/contract';

/** A text that is not a configuration; each problem with its line. */
export class ConfigurationTextError extends Error {
  override readonly name = 'ConfigurationTextError';
}

/**
 * Reads a configuration of one type. The grammar is large, so it is loaded when it is first needed.
 *
 * @throws ConfigurationTextError
 */
export async function readConfiguration<T extends AnyConfiguration['type']>(
  text: string,
  type: T,
): Promise<Extract<AnyConfiguration, { type: T }>> {
  // Read by the schema library when it is loaded: it would try to compile code otherwise, which the content
  // security policy refuses. Its own function for this would be too late.
  Object.assign(globalThis, { __zod_globalConfig: { jitless: true } });
  const { parseConfiguration } = await import('@dstack/contract');
  const parsed = parseConfiguration(text, 'configuration');
  if (!parsed.ok) {
    throw new ConfigurationTextError(
      parsed.errors
        .map(
          ({ line, path, message }) => `Line ${line}: ${path === '' ? '' : `${path} `}${message}`,
        )
        .join('\n'),
    );
  }
  if (parsed.value.type !== type) {
    throw new ConfigurationTextError(`This is a ${parsed.value.type}, not a ${type}.`);
  }
  return parsed.value as Extract<AnyConfiguration, { type: T }>;
}

import { CliError, EXIT } from './errors.ts';

/** Runs `get`; throws a `CliError` with the next step if the entity does not exist. */
export async function orNotFound<T>(what: string, next: string, get: () => Promise<T>): Promise<T> {
  try {
    return await get();
  } catch (error) {
    const { ResourceNotExistsError } = await import('@dstack/client');
    if (!(error instanceof ResourceNotExistsError)) throw error;
    throw new CliError(`${what} does not exist`, { exitCode: EXIT.notFound, next, cause: error });
  }
}

/** Works like {@link orNotFound}, but returns null instead of an error. */
export async function orNull<T>(get: () => Promise<T>): Promise<T | null> {
  try {
    return await get();
  } catch (error) {
    const { ResourceNotExistsError } = await import('@dstack/client');
    if (error instanceof ResourceNotExistsError) return null;
    throw error;
  }
}

/**
 * Works like {@link orNull}, for a resource that the token may not read: tokens of programs cannot read
 * users.
 */
export async function orForbidden<T>(get: () => Promise<T>): Promise<T | null> {
  try {
    return await get();
  } catch (error) {
    const { ForbiddenError } = await import('@dstack/client');
    if (error instanceof ForbiddenError && !/^invalid token/i.test(error.message)) return null;
    throw error;
  }
}

/** Splits `project/name`; `project` is null for a plain name. */
export function entityReference(text: string): { project: string | null; name: string } {
  const parts = text.split('/');
  if (parts.length > 2 || parts.some((part) => part === '')) {
    throw new CliError(`"${text}" is not a valid name`, {
      exitCode: 2,
      why: 'expected NAME or PROJECT/NAME',
    });
  }
  const [first = '', second] = parts;
  return second === undefined ? { project: null, name: first } : { project: first, name: second };
}

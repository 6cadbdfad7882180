import { BackendError } from '../errors.ts';

/**
 * Adds something that an account has once, such as a key by its name. Another order, or another server, may
 * add it at the same moment: a refusal counts only if it is still missing.
 */
export async function addedOnce<T>(
  add: () => Promise<T>,
  known: () => Promise<T | null>,
): Promise<T> {
  try {
    return await add();
  } catch (error) {
    const same = error instanceof BackendError ? await known() : null;
    if (same !== null) return same;
    throw error;
  }
}

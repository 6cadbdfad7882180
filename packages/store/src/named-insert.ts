import { isUniqueViolation } from './connection/failures.ts';
import type { StoreContext, Write } from './context.ts';
import type { Created } from './writes.ts';

/** A write whose only possible clash is a name. */
export async function namedInsert(
  context: StoreContext,
  work: (write: Write) => Promise<void>,
): Promise<Created> {
  try {
    await context.write(work);
    return 'created';
  } catch (error) {
    if (isUniqueViolation(error)) return 'name-taken';
    throw error;
  }
}

import type { Created } from '../base/writes.ts';
import { isUniqueViolation } from '../connection/failures.ts';
import type { StoreContext, Write } from './context.ts';

/** A write that can only fail because a name is taken. */
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

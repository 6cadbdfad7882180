import { ForbiddenError, UnauthorizedError } from '@dstack/client';

/** Servers answer a wrong token with 403 as well as with 401. */
export const isRefusal = (error: unknown): boolean =>
  error instanceof UnauthorizedError || error instanceof ForbiddenError;

import { ApiError } from '@dstack/contract/api';
import type { SpecError } from '@dstack/core';

/** The value that `core` has accepted; its refusal is thrown as an error of the API. */
export function accepted<T extends { readonly ok: true }>(result: T | SpecError): T {
  if (result.ok) return result;
  throw new ApiError(result.code, result.message);
}

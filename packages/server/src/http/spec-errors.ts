import { ApiError } from '@dstack/contract/api';
import type { SpecError } from '@dstack/core';

/** What `core` accepted, or its refusal as an error of the API. */
export function accepted<T extends { readonly ok: true }>(result: T | SpecError): T {
  if (result.ok) return result;
  throw new ApiError(result.code, result.message);
}

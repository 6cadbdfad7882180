import type { FleetSpec, RunSpec } from '@dstack/contract/wire';

/** A spec that was refused: HTTP 400 with this code and message. */
export interface SpecError {
  readonly ok: false;
  readonly message: string;
  readonly code: 'error' | 'resource_not_exists';
}

export type PreparedRunSpec = { readonly ok: true; readonly spec: RunSpec } | SpecError;
export type PreparedFleetSpec = { readonly ok: true; readonly spec: FleetSpec } | SpecError;

export function specError(message: string, code: SpecError['code'] = 'error'): SpecError {
  return { ok: false, message, code };
}

/** Names of runs, fleets and other things of a project. */
const NAME = /^[a-z][a-z0-9-]{1,40}$/;

export function nameError(name: string): SpecError | null {
  if (NAME.test(name)) return null;
  return specError(
    `Invalid name '${name}': it must start with a letter and hold 2 to 41 lower-case letters, ` +
      'digits and hyphens',
  );
}

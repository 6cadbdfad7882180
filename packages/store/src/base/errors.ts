/**
 * Errors that leave this package. Expected outcomes (a taken name, a stale version) are return
 * values, never errors.
 */
export type StoreErrorCode =
  | 'store_url_invalid'
  | 'store_unreachable'
  | 'store_locked'
  | 'store_newer_version'
  | 'store_older_servers'
  | 'store_foreign_database'
  | 'store_intent_conflict'
  | 'store_contended'
  | 'store_project_deleted'
  | 'store_undecryptable';

/** `message`: what happened; `fix`: what the operator can do about it. */
export class StoreError extends Error {
  readonly code: StoreErrorCode;
  readonly fix: string;

  constructor(code: StoreErrorCode, message: string, fix: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'StoreError';
    this.code = code;
    this.fix = fix;
  }
}

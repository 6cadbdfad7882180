export type * from './access/types.ts';
export type * from './backends/types.ts';
export type { Cipher } from './base/cipher.ts';
export { StoreError, type StoreErrorCode } from './base/errors.ts';
export type { StoreLogger } from './base/logger.ts';
export type { Page } from './base/page.ts';
export type { Created, NameChoice, Updated, WriteExtras } from './base/writes.ts';
export type * from './changes/types.ts';
export type { CountedPeers, LogSignals, Peers } from './connection/bus.ts';
export { inBackground, inRequest } from './connection/callers.ts';
export { DatabaseAwayError } from './connection/database-away.ts';
export {
  checkSqlite,
  copySqlite,
  holdSqlite,
  type StoppedSqlite,
  setMetaOfCopy,
  sqlitePath,
} from './connection/sqlite-copy.ts';
export type * from './engine/types.ts';
export type * from './events/types.ts';
export type * from './exports/types.ts';
export type * from './files/types.ts';
export type * from './fleets/types.ts';
export type * from './gateways/types.ts';
export type * from './groups/types.ts';
export type * from './host-access/types.ts';
export type { InstanceWithObservation, Observations } from './instances/observations.ts';
export type * from './instances/types.ts';
export type * from './jobs/types.ts';
export type * from './ledger/types.ts';
export type * from './logs/types.ts';
export type * from './meta/types.ts';
export type * from './model-usage/types.ts';
export { openMemoryStore, openStore } from './open-store.ts';
export type * from './pools/types.ts';
export type * from './projects/types.ts';
export type * from './quotas/types.ts';
export type * from './repos/types.ts';
export {
  RETENTION_RULES,
  type RetentionPeriod,
  type RetentionRule,
} from './retention/rules.ts';
export * from './retention/types.ts';
export type * from './runs/types.ts';
export type * from './schema/account-records.ts';
export type * from './schema/resource-records.ts';
export type * from './schema/work-records.ts';
export type * from './secrets/types.ts';
export type * from './service-sessions/types.ts';
export type * from './services/types.ts';
export type * from './sessions/types.ts';
export type { SharesView, WaitingHead } from './shares/shares-view.ts';
export type * from './sign-in-codes/types.ts';
export type { OpenStoreOptions, Store } from './store.ts';
export type * from './sweeps/types.ts';
export type * from './users/types.ts';
export type { VolumeObservations } from './volumes/observations.ts';
export type * from './volumes/types.ts';

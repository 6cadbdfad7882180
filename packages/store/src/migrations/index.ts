import { accounts } from './0001-accounts.ts';
import { uploads } from './0002-uploads.ts';
import { fleets } from './0003-fleets.ts';
import { runs } from './0004-runs.ts';
import { events } from './0005-events.ts';
import { resources } from './0006-resources.ts';
import { logPieces } from './0007-log-pieces.ts';
import { sshHosts } from './0008-ssh-hosts.ts';
import { serviceTokens } from './0009-service-tokens.ts';
import { serviceRequests } from './0010-service-requests.ts';
import { queue } from './0011-queue.ts';
import { retiredTokens } from './0012-retired-tokens.ts';
import { instanceHandles } from './0013-instance-handles.ts';
import { health } from './0014-health.ts';
import { sweep } from './0015-sweep.ts';
import { jobResumes } from './0016-job-resumes.ts';
import { volumes } from './0017-volumes.ts';
import { groups } from './0018-groups.ts';
import { sessions } from './0019-sessions.ts';
import { serviceRateBuckets } from './0020-service-rate-buckets.ts';
import { modelUsage } from './0021-model-usage.ts';
import { rollouts } from './0022-rollouts.ts';
import { jobCosts } from './0023-job-costs.ts';
import { serviceLoad } from './0024-service-load.ts';
import { gatewayReports } from './0025-gateway-reports.ts';
import { liveness } from './0026-liveness.ts';
import { tokenBudgets } from './0027-token-budgets.ts';
import { serviceSessions } from './0028-service-sessions.ts';
import { tokensOfServices } from './0029-tokens-of-services.ts';
import { gatewayReplacements } from './0030-gateway-replacements.ts';
import { gatewayDeliveries } from './0031-gateway-deliveries.ts';
import { gatewayAccounts } from './0032-gateway-accounts.ts';
import { hostFaults } from './0033-host-faults.ts';
import { waitingRuns } from './0034-waiting-runs.ts';
import { unprovenDomains } from './0035-unproven-domains.ts';
import { userIdentities } from './0036-user-identities.ts';
import { typedEvents } from './0037-typed-events.ts';
import { retention } from './0038-retention.ts';
import { signInCodes } from './0039-sign-in-codes.ts';
import { scheduling } from './0040-scheduling.ts';
import { workerDeliveries } from './0041-worker-deliveries.ts';
import { notices } from './0042-notices.ts';
import { pools } from './0043-pools.ts';
import { ownRetentionPeriods } from './0044-project-retention.ts';
import { fleetInstanceKeys } from './0045-instance-keys.ts';
import { reservations } from './0046-reservations.ts';
import { holds } from './0047-holds.ts';
import { quotas } from './0048-quotas.ts';
import { preemption } from './0049-preemption.ts';
import { dependencies } from './0050-dependencies.ts';
import { arrays } from './0051-arrays.ts';
import { runCounts } from './0052-run-counts.ts';
import { shares } from './0053-shares.ts';
import { maintenance } from './0054-maintenance.ts';
import { ledger } from './0055-ledger.ts';
import { addresses } from './0056-addresses.ts';
import type { Migration } from './ddl.ts';

/**
 * In order; the number of a migration is its position, from 1. Forward only: a released migration
 * is never edited, the next one corrects it.
 */
export const MIGRATIONS: readonly Migration[] = [
  accounts,
  uploads,
  fleets,
  runs,
  events,
  resources,
  logPieces,
  sshHosts,
  serviceTokens,
  serviceRequests,
  queue,
  retiredTokens,
  instanceHandles,
  health,
  sweep,
  jobResumes,
  volumes,
  groups,
  sessions,
  serviceRateBuckets,
  modelUsage,
  rollouts,
  jobCosts,
  serviceLoad,
  gatewayReports,
  liveness,
  tokenBudgets,
  serviceSessions,
  tokensOfServices,
  gatewayReplacements,
  gatewayDeliveries,
  gatewayAccounts,
  hostFaults,
  waitingRuns,
  unprovenDomains,
  userIdentities,
  typedEvents,
  retention,
  signInCodes,
  scheduling,
  workerDeliveries,
  notices,
  pools,
  ownRetentionPeriods,
  fleetInstanceKeys,
  reservations,
  holds,
  quotas,
  preemption,
  dependencies,
  arrays,
  runCounts,
  shares,
  maintenance,
  ledger,
  addresses,
];

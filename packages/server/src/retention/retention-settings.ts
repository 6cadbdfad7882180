import { integerVariable, type ProcessEnv } from '@dstack/contract';
import type { RetentionPolicy } from './policy.ts';

const DAY = 86_400;

export function retentionSettings(env: ProcessEnv): RetentionPolicy {
  return {
    runs: orForEver(env, 'DSTACK_SERVER_RUNS_TTL_SECONDS', 365 * DAY),
    logs: orForEver(env, 'DSTACK_SERVER_LOGS_TTL_SECONDS', 30 * DAY),
    uploads: orForEver(env, 'DSTACK_SERVER_UPLOADS_TTL_SECONDS', 90 * DAY),
    records: orForEver(env, 'DSTACK_SERVER_RECORDS_TTL_SECONDS', 365 * DAY),
    usage: orForEver(env, 'DSTACK_SERVER_USAGE_TTL_SECONDS', 3 * 365 * DAY),
    ledger: orForEver(env, 'DSTACK_SERVER_LEDGER_TTL_SECONDS', 2 * 365 * DAY),
    events: integerVariable(env, 'DSTACK_SERVER_EVENTS_TTL_SECONDS', 30 * DAY),
    health: integerVariable(env, 'DSTACK_SERVER_INSTANCE_HEALTH_TTL_SECONDS', 7 * DAY),
    metrics: {
      running: integerVariable(env, 'DSTACK_SERVER_METRICS_RUNNING_TTL_SECONDS', 3600),
      finished: integerVariable(env, 'DSTACK_SERVER_METRICS_FINISHED_TTL_SECONDS', 7 * DAY),
      minutes: integerVariable(env, 'DSTACK_SERVER_METRICS_MINUTES_TTL_SECONDS', 7 * DAY),
      hours: integerVariable(env, 'DSTACK_SERVER_METRICS_HOURS_TTL_SECONDS', 90 * DAY),
    },
  };
}

/** 0 = for ever. */
function orForEver(env: ProcessEnv, name: string, fallback: number): number | null {
  return integerVariable(env, name, fallback) || null;
}

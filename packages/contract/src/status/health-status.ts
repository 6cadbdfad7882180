/**
 * The health of an instance: the worst result of its host's checks.
 *
 *   healthy ◄──► warning ◄──► failure
 *
 * An instance with `failure` gets no new jobs; running jobs continue. `warning` is shown, and
 * changes nothing.
 */

export const HEALTH_STATUSES = ['healthy', 'warning', 'failure'] as const;
export type HealthStatus = (typeof HEALTH_STATUSES)[number];

const RANK: Readonly<Record<HealthStatus, number>> = { healthy: 0, warning: 1, failure: 2 };

/** The worst of them; `healthy` if there is none. */
export function worstHealth(all: readonly HealthStatus[]): HealthStatus {
  return all.reduce<HealthStatus>(
    (worst, one) => (RANK[one] > RANK[worst] ? one : worst),
    'healthy',
  );
}

/** Orders the worst first. */
export const byHealth = (a: HealthStatus, b: HealthStatus): number => RANK[b] - RANK[a];

export const isHealthy = (health: HealthStatus): boolean => health === 'healthy';

/** No new jobs may be placed there. */
export const isFailing = (health: HealthStatus): boolean => health === 'failure';

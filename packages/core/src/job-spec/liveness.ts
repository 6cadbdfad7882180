import type { JobSpec, ServiceConfiguration } from '@dstack/contract/wire';

/** The liveness probe of a replica with all defaults; seconds. */
export function jobLiveness({ liveness }: ServiceConfiguration): JobSpec['liveness'] {
  if (!liveness) return undefined;
  return {
    url: liveness.url ?? '/',
    method: liveness.method ?? 'get',
    headers: liveness.headers ?? [],
    body: liveness.body ?? null,
    timeout: liveness.timeout ?? 10,
    interval: liveness.interval ?? 15,
    failures: liveness.failures ?? 3,
    start_period: liveness.start_period ?? 300,
  };
}

import { withoutTrailingSlashes } from '@dstack/contract';
import type { JobSpec, ServiceConfiguration } from '@dstack/contract/wire';
import { routerGroup } from '../run-spec/router-group.ts';

type ProbeSpec = JobSpec['probes'][number];

/** Defaults of a probe: seconds, and successes in a row. */
const DEFAULTS = { url: '/', method: 'get', timeout: 10, interval: 15, ready_after: 1 } as const;

/** A model answers its first request late; seconds. */
const MODEL_PROBE_TIMEOUT = 30;

/**
 * Probes with all defaults. A service without probes that serves an OpenAI model gets one that
 * requests a token from the model; behind a router only the router serves the model's API.
 */
export function jobProbes(service: ServiceConfiguration, replicaGroup: string): ProbeSpec[] {
  if (service.probes != null) return service.probes.map(withDefaults);
  if (service.model?.format !== 'openai') return [];
  const router = routerGroup(service);
  if (router && router.name !== replicaGroup) return [];
  return [modelProbe(service.model)];
}

function withDefaults(probe: NonNullable<ServiceConfiguration['probes']>[number]): ProbeSpec {
  return {
    type: 'http',
    url: probe.url ?? DEFAULTS.url,
    method: probe.method ?? DEFAULTS.method,
    headers: probe.headers ?? [],
    body: probe.body ?? null,
    timeout: probe.timeout ?? DEFAULTS.timeout,
    interval: probe.interval ?? DEFAULTS.interval,
    ready_after: probe.ready_after ?? DEFAULTS.ready_after,
    until_ready: probe.until_ready ?? false,
  };
}

function modelProbe(model: { readonly name: string; readonly prefix?: string | null }): ProbeSpec {
  const prefix = withoutTrailingSlashes(model.prefix ?? '/v1');
  const body = {
    model: model.name,
    messages: [{ role: 'user', content: 'hi' }],
    max_tokens: 1,
  };
  return {
    type: 'http',
    url: `${prefix}/chat/completions`,
    method: 'post',
    headers: [{ name: 'Content-Type', value: 'application/json' }],
    body: JSON.stringify(body),
    timeout: MODEL_PROBE_TIMEOUT,
    interval: DEFAULTS.interval,
    ready_after: DEFAULTS.ready_after,
    until_ready: false,
  };
}

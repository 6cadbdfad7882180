import type { HeldRequests } from '@dstack/contract';
import type { ServiceConfiguration } from '@dstack/contract/wire';
import type { RequestKey, RequestLimit } from '../policy/rate-limits.ts';
import type { ReplicaTarget } from '../values.ts';

export interface HeldLimits {
  readonly timeoutMs: number;
  /** Requests; null = as many as the server allows. */
  readonly limit: number | null;
}

/** How long a request waits for the first replica by default. */
const HELD_MS = 60_000;

/** The data needed to send a request to a service. */
export interface ServiceRoute {
  readonly runId: string;
  readonly projectName: string;
  readonly runName: string;
  /** Whether callers must be members of the project. */
  readonly auth: boolean;
  /** The app does not receive the part of the path that leads to it. */
  readonly stripPrefix: boolean;
  /** Only the paths of a router are allowed. */
  readonly behindRouter: boolean;
  /** The number of replicas depends on requests. */
  readonly scaled: boolean;
  /** Requests in flight and latencies are measured, because the number depends on them. */
  readonly metered: boolean;
  /** May have no replica until the first request. */
  readonly mayBeEmpty: boolean;
  readonly rateLimits: readonly RequestLimit[];
  /** Requests that are equal in this go to the same replica; null = to any. */
  readonly affinity: RequestKey | null;
  /** The limits of requests that wait for the first replica. */
  readonly held: HeldLimits;
  /** Which requests are copied to another service; null = none. */
  readonly mirror: Mirroring | null;
  /** Browsers of every origin may send requests, without credentials. */
  readonly isOpenToOrigins: boolean;
  /** The model that it serves by OpenAI's API below the path `prefix`; null = it serves none. */
  readonly model: { readonly name: string; readonly prefix: string } | null;
  readonly replicas: readonly ReplicaTarget[];
}

export interface Mirroring {
  /** The name of the service that gets the copies, in the same project. */
  readonly service: string;
  readonly percent: number;
  readonly methods: readonly string[];
}

/** A run of a service. Only the parts of the configuration that are read here need to be there. */
export interface RoutedRun {
  readonly runId: string;
  readonly projectName: string;
  readonly runName: string;
  readonly configuration: ServiceConfiguration;
  readonly replicas: readonly ReplicaTarget[];
}

export function routeOf({ configuration, ...named }: RoutedRun): ServiceRoute {
  const groups = configuration.groups ?? [configuration];
  const scaled = groups.filter(scalesByDemand);
  return {
    ...named,
    auth: configuration.auth,
    stripPrefix: configuration.strip_prefix,
    behindRouter: configuration.groups?.some((group) => group.router != null) ?? false,
    scaled: scaled.length > 0,
    metered: scaled.some(({ autoscaling }) => (autoscaling ?? []).length > 0),
    mayBeEmpty: scaled.length > 0 && groups.some(({ replicas }) => replicas && !replicas.min),
    rateLimits: configuration.rate_limits,
    affinity: configuration.affinity ?? null,
    held: heldLimits(configuration.held_requests),
    mirror: configuration.mirror ?? null,
    isOpenToOrigins: configuration.model?.format === 'openai',
    model: openAiModel(configuration.model),
  };
}

type ScaledPart = Pick<ServiceConfiguration, 'replicas' | 'scaling' | 'autoscaling'>;

const scalesByDemand = ({ replicas, scaling, autoscaling }: ScaledPart): boolean =>
  Boolean(replicas) && (Boolean(scaling) || (autoscaling ?? []).length > 0);

function openAiModel(model: ServiceConfiguration['model']): ServiceRoute['model'] {
  if (model?.format !== 'openai') return null;
  // The configuration that a gateway has stored may lack the prefix.
  return { name: model.name, prefix: model.prefix ?? '/v1' };
}

function heldLimits(held: HeldRequests | null | undefined): HeldLimits {
  const { timeout = null, limit = null } = held ?? {};
  return { timeoutMs: timeout === null ? HELD_MS : timeout * 1000, limit };
}

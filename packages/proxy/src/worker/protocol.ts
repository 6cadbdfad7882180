/** Messages that a worker receives from the process that leads it, and its answers. */
import type { Granted, KeptGrant } from '../callers/grants.ts';
import type { ServedModel } from '../models/served-model.ts';
import type { TunnelRoute } from '../replicas/replica-tunnels.ts';
import type { ServiceRoute } from '../routes/service-route.ts';

/** Where a service is reached by host names of its own. */
export interface HostNames {
  /** Null: it is reached below the path of the API alone. */
  readonly host: string | null;
  /** Names of its users, and paths at them, which lead to it too. */
  readonly customHosts: readonly { readonly host: string; readonly path: string }[];
  readonly https: boolean;
  /** Its app answers calls of gRPC, and nothing else. */
  readonly isGrpc: boolean;
  /** The ways to replicas on other hosts, by the ids of their jobs. */
  readonly tunnels: Readonly<Record<string, TunnelRoute>>;
}

export const NO_HOST_NAMES: HostNames = {
  ...{ host: null, customHosts: [], https: false, isGrpc: false, tunnels: {} },
};

/** A service, without anything that only the server needs. */
export interface PushedService extends HostNames {
  /** A gateway knows projects by name. */
  readonly projectId: string;
  readonly route: ServiceRoute;
  /** Null: it serves no model. */
  readonly served: ServedModel | null;
}

/** `service` null: the run is no longer a service that this process serves. */
export interface PushedRoute<Host = unknown> {
  readonly runId: string;
  readonly service: PushedService | null;
  /** How the hosts of its replicas are reached. */
  readonly hosts: Readonly<Record<string, Host>>;
}

/** Everything that a worker must know. A worker with this takes requests. */
export interface Known<Host = unknown> {
  readonly routes: readonly PushedRoute<Host>[];
  readonly grants: readonly Granted[];
  /** Callers who were admitted before: they count while the server is away. */
  readonly kept?: readonly KeptGrant[];
}

/** The server is to store what is in these files before the answer. */
export interface KeptFiles {
  readonly kind: 'uses' | 'counts';
  readonly files: readonly string[];
  /** Ids of the tokens that have been used. */
  readonly tokens: readonly string[];
}

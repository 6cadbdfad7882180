import type { OriginSession } from '../values.ts';

/** The service that a URL addresses, and the parts of the URL as they were sent. */
export interface ServiceTarget {
  readonly project: string;
  readonly run: string;
  /** `/proxy/services/<project>/<run>`, undecoded, or its path at a shared name; empty at a name of the service alone. */
  readonly prefix: string;
  /** The rest, including the query; empty or starting with a slash or question mark. */
  readonly rest: string;
  /** `prefix` is its path at a host name of the service's project, not at that of the API. */
  readonly isOnSharedName?: boolean;
  /** The request is for the host name of the service. */
  readonly origin?: TargetOrigin;
}

export interface TargetOrigin {
  /** Another run may have got the name. */
  readonly runId: string;
  /** Null: the request has no cookie of the service, or may not use it. */
  readonly session: OriginSession | null;
}

const TARGET = /^(\/proxy\/services\/([^/?]+)\/([^/?]+))(?=[/?]|$)(.*)$/s;

/** Null: the URL is not one of a service. */
export function serviceTarget(url: string): ServiceTarget | null {
  const [, prefix = '', project = '', run = '', rest = ''] = TARGET.exec(url) ?? [];
  try {
    const names = { project: decodeURIComponent(project), run: decodeURIComponent(run) };
    return prefix === '' ? null : { ...names, prefix, rest };
  } catch {
    // Invalid percent encoding addresses no service.
    return null;
  }
}

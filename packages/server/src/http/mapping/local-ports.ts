import type { JobSpec } from '@dstack/contract/wire';
import { type BackendName, isServerHost, LOCAL_PROCESS_INSTANCE } from '@dstack/core';

/**
 * A plain process on the server's machine listens on its ports there, and a client on the same
 * machine cannot forward a port to itself. Such ports get another local number, the same every
 * time; a port that the user has mapped to another one is kept.
 */
export function withPortsBeside(spec: JobSpec): JobSpec {
  if (!spec.app_specs?.length) return spec;
  const app_specs = spec.app_specs.map((app) => {
    const own = app.map_to_port === null || app.map_to_port === app.port;
    return own ? { ...app, map_to_port: portBeside(app.port) } : app;
  });
  return { ...spec, app_specs };
}

/** Whether a place or an offer is the server's machine without containers. */
export function isLocalProcess(
  place: {
    readonly backend: BackendName;
    readonly instance_type: { readonly name: string };
  } | null,
): boolean {
  return (
    place != null &&
    isServerHost(place.backend) &&
    place.instance_type.name === LOCAL_PROCESS_INSTANCE
  );
}

function portBeside(port: number): number {
  return port > 55_535 ? port - 10_000 : port + 10_000;
}

/** The services whose requests nginx may answer itself, in the form that `plain.lua` reads. */
import type { PushedService } from '../worker/protocol.ts';

/** `address`: of a replica on this host that every program may connect to; null = it has none, or it is not known. */
export type AddressOf = (jobId: string) => string | null;

/**
 * By host name. A service is left to the workers if anything of it needs more than to be passed on: models, gRPC,
 * copies, affinity, rate limits, names that services share, a measured load, or replicas that are not reached directly.
 */
export function plainTable(
  hosts: ReadonlyMap<string, PushedService>,
  addressOf: AddressOf,
  isLeaving: (jobId: string) => boolean,
): Map<string, string> {
  const table = new Map<string, string>();
  for (const [host, service] of hosts) {
    const line = isPlain(service) ? lineOf(service, addressOf, isLeaving) : null;
    if (line !== null) table.set(host, line);
  }
  return table;
}

/** The same by path of the API's origin: `<project>/<run>`. Names of projects are the same in both cases. */
export function plainPaths(
  services: readonly PushedService[],
  addressOf: AddressOf,
  isLeaving: (jobId: string) => boolean,
): Map<string, string> {
  const table = new Map<string, string>();
  for (const service of services) {
    const { projectName, runName } = service.route;
    const line = isPlain(service) ? lineOf(service, addressOf, isLeaving) : null;
    if (line !== null) table.set(`${projectName.toLowerCase()}/${runName}`, line);
  }
  return table;
}

export function isPlain({ route, isGrpc, served }: PushedService): boolean {
  return (
    !isGrpc &&
    served === null &&
    route.model === null &&
    route.mirror === null &&
    route.affinity === null &&
    route.rateLimits.length === 0 &&
    !route.metered &&
    !route.behindRouter
  );
}

/** Null: not all of its replicas are reached directly, or there is none. */
function lineOf(
  { route, https }: PushedService,
  addressOf: AddressOf,
  isLeaving: (jobId: string) => boolean,
): string | null {
  const staying = route.replicas.filter(({ jobId }) => !isLeaving(jobId));
  const replicas = staying.map(({ jobId, port, runningAt, isFailing }) => {
    const address = addressOf(jobId);
    if (address === null) return null;
    return [jobId, address, port, isFailing ? 1 : 0, Math.floor(runningAt / 1000)].join(',');
  });
  if (replicas.length === 0 || replicas.includes(null)) return null;
  const flags = [https, route.auth, route.scaled, route.stripPrefix]
    .map((flag) => (flag ? '1' : '0'))
    .join('');
  const { runId, projectName, runName } = route;
  const fields = [runId, flags, projectName, runName, replicas.join(';')];
  // Such a name would be read as more than one field.
  return fields.some((field) => /[\t\n]/.test(field)) ? null : fields.join('\t');
}

/** When the workers of a service with a router may start. */
import type { JobRecord, RunRecord, Timestamp } from '../../model/index.ts';
import { routerGroup } from '../../run-spec/router-group.ts';
import { isJobAlive } from '../../status/index.ts';
import { silence } from '../../time/silence.ts';
import { nodeAddress } from '../job/node-address.ts';

/** How long after its submission a worker waits for the address of its router. */
export const ROUTER_LIMIT = silence(1800);

export type RouterAddress =
  /** The job needs none. */
  | { readonly kind: 'none' }
  /** `since`: when the router got its machine. */
  | { readonly kind: 'known'; readonly address: string; readonly since: Timestamp }
  | { readonly kind: 'waiting'; readonly since: Timestamp }
  /** The router has ended, so that its address will never be known. */
  | { readonly kind: 'ended' };

/**
 * The address that a worker of Dynamo gets in its environment: it finds its router by itself, and
 * only if it knows the address when it starts. `latest`: newest submissions of the run.
 */
export function routerAddressFor(
  run: Pick<RunRecord, 'spec'>,
  job: JobRecord,
  latest: readonly JobRecord[],
): RouterAddress {
  const group = routerGroup(run.spec.configuration);
  if (group?.router?.type !== 'dynamo' || job.spec.replica_group === group.name) {
    return { kind: 'none' };
  }
  const routers = latest.filter((one) => one.spec.replica_group === group.name && one.jobNum === 0);
  const alive = routers.find((one) => isJobAlive(one.status));
  const address = alive && nodeAddress(alive);
  if (address) return { kind: 'known', address, since: alive.provisionedAt ?? 0 };
  if (alive === undefined && routers.length > 0) return { kind: 'ended' };
  return { kind: 'waiting', since: job.submittedAt };
}

import { isServerHost, LOCAL_PROCESS_INSTANCE } from '../capabilities/capabilities.ts';
import type { InstanceRecord, Offer } from '../model/index.ts';
import type { JobNeeds } from './job-needs.ts';

// Keys of `backend_data` in offers of the server host. Instances outlive the server process, so
// the server refreshes these values in their offers at each start.

/** Jobs may use features that give them control of the machine (`DSTACK_LOCAL_TRUSTED`). */
export const LOCAL_TRUSTED = 'trusted';
/** Directories of the machine can be mounted into jobs. */
export const LOCAL_MOUNTS = 'mounts';
/** Jobs may set `user`; without containers that is a user of the machine. */
export const LOCAL_USERS = 'users';
/** Registries and git hosts on the loopback of the machine may be used. */
export const LOCAL_LOOPBACK = 'loopback';
/** Key of its host's record: servers that share a database have a host each. */
export const LOCAL_HOST = 'host';
/** The address at which clients reach the machine. */
export const LOCAL_ADDRESS = 'address';
/** The most instances that the machine may have (`DSTACK_LOCAL_MAX_INSTANCES` of its server). */
export const LOCAL_SLOTS = 'slots';
/** The instance's project may no longer run jobs there, or its executor is not in use any more. */
export const LOCAL_WITHDRAWN = 'withdrawn';

/** The machine of an offer or instance of the server host; `hostId`: of an instance that was created. */
export function localHostOf({
  hostId = null,
  offer,
}: Pick<InstanceRecord, 'offer'> & { readonly hostId?: string | null }): string {
  const offered = offer?.backend_data[LOCAL_HOST];
  return hostId ?? (typeof offered === 'string' ? offered : ONLY_LOCAL_HOST);
}

/** The machine of a server that shares its database with no other. */
const ONLY_LOCAL_HOST = 'local';

export function isWithdrawn(offer: Offer): boolean {
  return isServerHost(offer.backend) && offer.backend_data[LOCAL_WITHDRAWN] === true;
}

/** A need that the server host would meet if the server were started with other settings. */
export interface LocalRefusal {
  readonly need: 'docker' | 'privileged' | 'volumes' | 'image';
  /**
   * `trusted`: `DSTACK_LOCAL_TRUSTED` is not set; `mounts`: the server has no right to make mounts;
   * `loopback`: neither `DSTACK_LOCAL_TRUSTED` nor `DSTACK_SERVER_OUTGOING_ALLOW` allows loopback.
   */
  readonly without: 'trusted' | 'mounts' | 'loopback';
}

/** Null for other machines, and for needs that jobs without containers can never meet. */
export function localRefusal(needs: JobNeeds, offer: Offer): LocalRefusal | null {
  if (!isServerHost(offer.backend)) return null;
  const trusted = offer.backend_data[LOCAL_TRUSTED] === true;
  const hasContainers = offer.instance.name !== LOCAL_PROCESS_INSTANCE;
  if (!trusted && hasContainers && needs.dind) return { need: 'docker', without: 'trusted' };
  if (!trusted && hasContainers && needs.privileged) {
    return { need: 'privileged', without: 'trusted' };
  }
  if (needs.loopbackImage && hasContainers && offer.backend_data[LOCAL_LOOPBACK] !== true) {
    return { need: 'image', without: 'loopback' };
  }
  if (!needs.instanceMounts && !needs.namedVolumes) return null;
  if (offer.backend_data[LOCAL_MOUNTS] !== true) return { need: 'volumes', without: 'mounts' };
  // Named volumes contain only files that jobs have written.
  return trusted || !needs.instanceMounts ? null : { need: 'volumes', without: 'trusted' };
}

/** One sentence for plans. */
export function localRefusalText({ need, without }: LocalRefusal): string {
  switch (without) {
    case 'trusted':
      return `local: \`${need}\` would give the job the server's machine, whose administrator can allow that with DSTACK_LOCAL_TRUSTED=1`;
    case 'loopback':
      return `local: \`${need}\` names a registry on the loopback of the server's machine, which its administrator can allow with DSTACK_SERVER_OUTGOING_ALLOW=loopback`;
    case 'mounts':
      return `local: \`${need}\` cannot be mounted on the server's machine, since the server runs without the right to do so (as root it has it)`;
  }
}

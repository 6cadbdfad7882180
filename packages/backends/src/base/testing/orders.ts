import { randomUUID } from 'node:crypto';
import { Requirements } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import type { ContainerOrder, InstanceOrder } from '../instance-port.ts';
import type { Backend } from '../port.ts';
import { NOT_ANSWERED } from '../rest-vm/live-offers.ts';
import { OUR_SERVER } from './backend-world.ts';

/** Requirements that any machine meets, and requirements that none meets. */
export const REQUIREMENTS = {
  met: Requirements.parse({ resources: { cpu: '1..', memory: '0.1GB..', disk: null, gpu: null } }),
  unmet: Requirements.parse({ resources: { cpu: '4096..' } }),
};

/**
 * The offers of the provider itself. On a busy computer the first answer is the list of the catalogue, while a call that
 * a test is about to lose is still under way.
 */
export async function answeredOffers({ offers }: Pick<Backend, 'offers'>) {
  let answer = await offers(REQUIREMENTS.met);
  while (answer.notes.some((note) => note.includes(NOT_ANSWERED))) {
    answer = await offers(REQUIREMENTS.met);
  }
  return answer.offers;
}

/** An order for an instance that does not exist yet. */
export function newOrder(offer: Offer | null, server = OUR_SERVER): InstanceOrder {
  const instanceId = randomUUID();
  return {
    key: `instance.create:${instanceId}:0`,
    instanceId,
    owner: { server, project: 'main', fleet: 'pool', instance: `pool-${instanceId}` },
    offer,
    authorizedKeys: [],
    tags: {},
    reservation: null,
    placementGroup: null,
    volumes: [],
    group: null,
  };
}

/** The same order for a backend that starts the job's container itself. */
export function withContainer(order: InstanceOrder): InstanceOrder {
  const container: ContainerOrder = {
    ...{ jobName: 'train-0-0', runName: 'train', userName: 'ada', image: 'busybox:1' },
    ...{ registryAuth: null, user: null, privileged: false, needsAddress: false },
    ...{ gang: null, mounts: [], settings: null },
    resources: REQUIREMENTS.met.resources,
  };
  return { ...order, container };
}

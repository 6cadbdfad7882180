/** A new account of RunPod for each test, at which the adapter orders pods. */
import { Requirements } from '@dstack/contract/wire';
import { type Cloud, type ManualClock, manualClock, startCloud } from '@dstack/testkit/cloud';
import { afterEach, beforeEach } from 'vitest';
import type { InstanceOrder } from '../../base/instance-port.ts';
import type { Backend } from '../../base/port.ts';
import type { CallPace } from '../../base/rest-vm/pace.ts';
import { newOrder, withContainer } from '../../base/testing/orders.ts';
import { passingPace } from '../../base/testing/passing-pace.ts';
import { type RunpodAt, runpodAt } from '../testing.ts';

export const H100 = Requirements.parse({
  resources: { gpu: 'H100', memory: '1GB..', disk: '50GB..' },
});
export const CPU = Requirements.parse({
  resources: { cpu: '2..', memory: '1GB..', disk: '10GB..' },
});
/** Seconds after which a pod has started. */
export const STARTED_S = 60;

interface World {
  readonly cloud: Cloud;
  readonly clock: ManualClock;
  readonly pace: CallPace;
  readonly backend: Backend;
}

export function newAccountForEachTest() {
  let world: World | null = null;
  const now = (): World => {
    if (world === null) throw new Error('no test has begun');
    return world;
  };
  beforeEach(async () => {
    const clock = manualClock();
    const cloud = await startCloud({ personality: 'runpod', clock });
    const pace = passingPace(clock);
    world = { cloud, clock, pace, backend: runpodAt({ cloud, pace }) };
  });
  afterEach(() => world?.cloud.close());

  const another = (change: Omit<RunpodAt, 'cloud' | 'pace'>): Backend => {
    const { cloud, pace } = now();
    return runpodAt({ cloud, pace, ...change });
  };
  const offers = async (requirements = H100, of = now().backend) =>
    (await of.offers(requirements)).offers;
  const order = async (
    change: Partial<InstanceOrder['container']> = {},
    requirements = H100,
  ): Promise<InstanceOrder> => {
    const [offer = null] = await offers(requirements);
    const given = withContainer(newOrder(offer));
    const { container } = given;
    if (!container) throw new Error('there is no container');
    return { ...given, container: { ...container, ...change } };
  };
  const create = async (given: InstanceOrder) => await now().backend.instances?.create(given);
  const failure = async (given: InstanceOrder) => await create(given).catch((error) => error);
  /** The last order that the account has received. */
  const sent = (): Cloud['log'][number] | undefined =>
    now().cloud.log.findLast(({ method, path }) => method === 'POST' && path === '/v2/pods');
  return { now, another, offers, order, create, failure, sent };
}

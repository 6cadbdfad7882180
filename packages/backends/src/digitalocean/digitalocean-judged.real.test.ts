/** The contract of the adapter, with every request judged by the provider's document of 2026-08. */
import {
  manualClock,
  type PrismProxy,
  publishedDocument,
  startCloud,
  startPrism,
  unjudged,
} from '@dstack/testkit/cloud';
import { afterAll, describe, expect, it } from 'vitest';
import type { BackendWorld } from '../base/testing/backend-world.ts';
import { describeBackend } from '../base/testing/contract.suite.ts';
import { newOrder, REQUIREMENTS } from '../base/testing/orders.ts';
import { passingPace } from '../base/testing/passing-pace.ts';
import { digitalOceanAt } from './testing.ts';

const document = publishedDocument('digitalocean/specification/DigitalOcean-public.v2.yaml');
if (document === null) it(...unjudged('The adapter of DigitalOcean'));
else describe('judged by its document', { timeout: 60_000 }, () => judge(document));

function judge(path: string): void {
  const clock = manualClock();
  const cloud = startCloud({
    ...{ personality: 'digitalocean', clock, limits: false },
    faults: { boot_seconds: [60, 60], delete_seconds: 20 },
  });
  const judge = cloud.then(({ url }) => startPrism({ document: path, upstream: url }));
  const violations: string[] = [];
  afterAll(async () => {
    const prism: PrismProxy = await judge;
    await prism[Symbol.asyncDispose]();
    await (await cloud).close();
  });

  async function world(): Promise<BackendWorld> {
    const [account, prism] = await Promise.all([cloud, judge]);
    const pace = passingPace(clock);
    const backend = digitalOceanAt({ cloud: account, url: prism.url, pace });
    return {
      ...{ backend, requirements: REQUIREMENTS, calls: null, userVolume: null },
      order: async (server) => {
        const { offers } = await backend.offers(REQUIREMENTS.met);
        const order = newOrder(offers[0] ?? null, server);
        return { ...order, authorizedKeys: [KEY] };
      },
      facts: async () => null,
      settle: async () => clock.advance(300),
      machines: async () => account.vms(),
      vanish: ({ id }) => account.vanish(id),
      close: async () => {
        for (const { id } of account.account.vms.all()) await account.vanish(id);
        violations.push(...prism.violations);
      },
    };
  }

  describeBackend('DigitalOcean', world, ['lost answers', 'volumes', 'groups', 'gateways']);

  it('no request and no answer violates it', () => {
    expect(violations).toEqual([]);
  });
}

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBs= ada';

import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { GatewayOrder, GatewayPort } from '../gateway-port.ts';
import { type BackendWorld, OTHER_SERVER, OUR_SERVER } from './backend-world.ts';

const MAX_RELEASES = 10;

export function describeGateways(world: () => BackendWorld): void {
  describe('machines of gateways', () => {
    const whereThereAreAny = (title: string, test: (gateways: GatewayPort) => Promise<void>) =>
      it(title, async () => {
        const { gateways } = world().backend;
        if (!gateways) throw new Error('the world has no machines for gateways');
        await test(gateways);
      });

    /** In a region where instances can be created too. */
    const order = async (server = OUR_SERVER): Promise<GatewayOrder> => {
      const replicaId = randomUUID();
      return {
        ...{ key: `gateway.create:${replicaId}:0`, replicaId, instanceType: null, isPublic: true },
        region: (await world().order()).offer?.region ?? '',
        owner: { server, project: 'main', fleet: '', instance: `edge-${replicaId}` },
        ...{ gateway: { id: replicaId, name: 'edge' }, replicaNum: 0, balancer: null },
        ...{ authorizedKeys: [], tags: {}, domain: null, settings: null },
      };
    };

    whereThereAreAny(
      'are created once for one key, and have an address when ready',
      async (gateways) => {
        const wanted = await order();
        const handle = await gateways.create(wanted);
        expect(await gateways.create(wanted)).toEqual(handle);
        await world().settle();
        const ready = await gateways.observe(handle);
        expect(ready.state).toBe('ready');
        if (ready.state !== 'ready') return;
        expect(ready.access).not.toBeNull();
        expect(ready.machine?.provisioningData.hostname).toEqual(expect.any(String));
      },
    );

    whereThereAreAny('are listed as ours, and never among the instances', async (gateways) => {
      const wanted = await order();
      const handle = await gateways.create(wanted);
      await gateways.create(await order(OTHER_SERVER));
      const [listed, ...others] = await gateways.list({ server: OUR_SERVER });
      expect(listed).toMatchObject({ handle, owner: wanted.owner, key: wanted.key });
      expect([wanted.region, null]).toContain(listed?.region);
      expect(others).toEqual([]);
      expect(await world().backend.instances?.list({ server: OUR_SERVER })).toEqual([]);
    });

    whereThereAreAny('are released once, and are missing from then on', async (gateways) => {
      const handle = await gateways.create(await order());
      await world().settle();
      const how = { ends: 'gateway' } as const;
      for (let times = 0; (await gateways.release(handle, how)) === 'releasing'; times++) {
        if (times === MAX_RELEASES) throw new Error('the machine is never released');
        await world().settle();
      }
      expect(await gateways.release(handle, how)).toBe('released');
      expect(await gateways.observe(handle)).toEqual({ state: 'missing' });
      expect(await gateways.list({ server: OUR_SERVER })).toEqual([]);
    });
  });
}

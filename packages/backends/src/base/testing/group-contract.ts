import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { GroupOrder, GroupPort } from '../group-port.ts';
import { type BackendWorld, OTHER_SERVER, OUR_SERVER } from './backend-world.ts';
import { releaseFully } from './release-fully.ts';

export function describeGroups(world: () => BackendWorld): void {
  describe('groups', () => {
    const whereThereAreAny = (title: string, test: (groups: GroupPort) => Promise<void>) =>
      it(title, async () => {
        const { groups } = world().backend;
        if (groups === null) throw new Error('the world has no groups');
        await test(groups);
      });

    /** In the region of the instances that will be in it. */
    const order = async (server = OUR_SERVER): Promise<GroupOrder> => ({
      ...{ key: `group.create:${randomUUID()}:0`, name: `fleet-${randomUUID()}` },
      ...{ kind: 'placement', size: null, offer: null },
      region: (await world().order()).offer?.region ?? '',
      owner: { server, project: 'main', fleet: 'cluster', instance: '' },
    });

    whereThereAreAny('are created once for one key, and listed as ours', async (groups) => {
      const wanted = await order();
      const handle = await groups.create(wanted);
      expect(await groups.create(wanted)).toEqual(handle);
      await groups.create(await order(OTHER_SERVER));
      expect(await groups.list({ server: OUR_SERVER })).toEqual([
        { handle, owner: wanted.owner, key: wanted.key },
      ]);
    });

    whereThereAreAny('are in use until their instances have ended', async (groups) => {
      const { backend, order: instanceOrder, settle } = world();
      const wanted = await order();
      const handle = await groups.create(wanted);
      const member = { ...(await instanceOrder()), placementGroup: wanted.name };
      const instance = await backend.instances?.create(member);
      if (!instance) throw new Error('there is no instance to be in it');
      expect(await groups.delete(handle)).toBe('in-use');
      await releaseFully(world(), instance.handle);
      await settle();
      expect(await groups.delete(handle)).toBe('deleted');
      expect(await groups.delete(handle)).toBe('deleted');
      expect(await groups.list({ server: OUR_SERVER })).toEqual([]);
    });
  });
}

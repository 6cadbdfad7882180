import { randomUUID } from 'node:crypto';
import type { VolumeHandle } from '@dstack/core';
import { describe, expect, it } from 'vitest';
import { BackendError } from '../errors.ts';
import type { VolumeOrder, VolumePort } from '../volume-port.ts';
import { type BackendWorld, OTHER_SERVER, OUR_SERVER } from './backend-world.ts';
import { releaseFully } from './release-fully.ts';

const MAX_DELETIONS = 10;
const GIB = 20;

export function describeVolumes(world: () => BackendWorld): void {
  describe('network volumes', () => {
    type Test = (volumes: VolumePort, region: string) => Promise<void>;
    /** There is nothing to test if the backend has none. */
    const whereThereAreAny = (title: string, test: Test) =>
      it(title, async () => {
        const { backend, userVolume } = world();
        if (backend.volumes === null || userVolume === null)
          throw new Error('the world has no volumes');
        await test(backend.volumes, userVolume.region);
      });

    const order = (region: string, server = OUR_SERVER): VolumeOrder => ({
      ...{ key: `volume.create:${randomUUID()}:0`, volumeId: randomUUID(), name: 'data', region },
      ...{ availabilityZone: null, sizeGib: GIB, tags: {} },
      owner: { server, project: 'main', fleet: '', instance: 'data' },
      directory: null,
    });
    const ids = async (volumes: VolumePort, server = OUR_SERVER) =>
      (await volumes.list({ server })).map(({ handle }) => handle.id).sort();

    async function deleted(volumes: VolumePort, handle: VolumeHandle): Promise<void> {
      for (let times = 0; times < MAX_DELETIONS; times++) {
        if ((await volumes.delete(handle)) === 'deleted') return;
        await world().settle();
      }
      throw new Error('the volume is never deleted');
    }

    whereThereAreAny(
      'are created once for one key, with the size ordered',
      async (volumes, region) => {
        const wanted = order(region);
        const handle = await volumes.create(wanted);
        expect(await volumes.create(wanted)).toEqual(handle);
        expect(['pending', 'ready']).toContain((await volumes.observe(handle)).state);
        await world().settle();
        expect(await volumes.observe(handle)).toMatchObject({ state: 'ready', sizeGib: GIB });
        expect(await volumes.list({ server: OUR_SERVER })).toMatchObject([
          { handle, key: wanted.key, owner: wanted.owner },
        ]);
      },
    );

    whereThereAreAny('are listed only where this server made them', async (volumes, region) => {
      const { userVolume } = world();
      const made = await volumes.create(order(region));
      const foreign = await volumes.create(order(region, OTHER_SERVER));
      await volumes.register(userVolume?.id ?? '', { region });
      expect(await ids(volumes)).toEqual([made.id]);
      expect(await ids(volumes, OTHER_SERVER)).toEqual([foreign.id]);
    });

    whereThereAreAny(
      'are found by the id under which a user made them',
      async (volumes, region) => {
        const handle = await volumes.register(world().userVolume?.id ?? '', { region });
        expect((await volumes.observe(handle)).state).toBe('ready');
        await expect(volumes.register('no-such-volume', { region })).rejects.toThrow(BackendError);
      },
    );

    whereThereAreAny('are deleted once, and are missing from then on', async (volumes, region) => {
      const handle = await volumes.create(order(region));
      await world().settle();
      await deleted(volumes, handle);
      await deleted(volumes, handle);
      expect(await volumes.observe(handle)).toEqual({ state: 'missing' });
      expect(await ids(volumes)).toEqual([]);
    });

    whereThereAreAny(
      'are attached and detached, however often that is ordered',
      async (volumes, region) => {
        const { backend, order: instanceOrder, settle } = world();
        const handle = await volumes.create(order(region));
        const instance = await backend.instances?.create(await instanceOrder());
        if (!instance) throw new Error('there is no instance to attach it to');
        await settle();
        for (const _ of [1, 2]) await volumes.attach(handle, instance.handle);
        await settle();
        expect((await volumes.attach(handle, instance.handle)).state).toBe('attached');
        for (const force of [false, true]) await volumes.detach(handle, instance.handle, { force });
        await settle();
        const { state } = await volumes.detach(handle, instance.handle, { force: false });
        expect(state).toBe('detached');
        await deleted(volumes, handle);
      },
    );

    whereThereAreAny('are free again when the instance has ended', async (volumes, region) => {
      const { backend, order: instanceOrder, settle } = world();
      const handle = await volumes.create(order(region));
      const instance = await backend.instances?.create(await instanceOrder());
      if (!instance) throw new Error('there is no instance to attach it to');
      await settle();
      await volumes.attach(handle, instance.handle);
      await releaseFully(world(), instance.handle);
      await settle();
      await deleted(volumes, handle);
    });
  });
}

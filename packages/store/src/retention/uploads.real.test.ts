import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { DAY, ENOUGH, NOW } from '../testing/ended-run.ts';
import { insertRun } from '../testing/insert.ts';
import { runRecord } from '../testing/records.ts';
import { forEachStore, openWorld, type World } from '../testing/stores.ts';

forEachStore((tests) => {
  describe('uploads', () => {
    const archive = (world: World, hash: string, createdAt: number) => ({
      ...{ id: randomUUID(), userId: world.userId, hash, sha256: hash, size: 3, createdAt },
    });

    it('stay while a run names them, and go a time after the last one is deleted', async () => {
      let now = NOW;
      const world = await openWorld(tests, { now: () => now });
      const { store, projectId } = world;
      const used = await store.files.insertArchive(archive(world, 'used', NOW - 900 * DAY));
      const unused = await store.files.insertArchive(archive(world, 'unused', NOW - 900 * DAY));
      await store.engine.apply([]);
      const base = runRecord({ projectId, userId: world.userId });
      const spec = { ...base.spec, file_archives: [{ id: used.id, path: '/x' }] };
      const { run } = await insertRun(
        world,
        { spec, status: 'done', lastProcessedAt: NOW, nextPassAt: null },
        [],
      );
      // `insertArchive` counts as a use.
      now += 100 * DAY;
      const before = () => now - 90 * DAY;
      // It is not known yet what the run names.
      expect(await store.retention.deleteUploads(before(), 9)).toBe(0);
      expect(await store.retention.noteUploads(9)).toBe(1);
      expect(await store.retention.noteUploads(9)).toBe(0);
      await store.retention.deleteUploads(before(), 9);
      expect(await store.files.archivesByIds([used.id, unused.id])).toMatchObject([
        { id: used.id },
      ]);
      expect(await store.retention.pendingBlobs(now, 9)).toEqual(['unused']);
      const runs = await store.retention.endedRuns(projectId, now, ENOUGH);
      expect(runs.map(({ id }) => id)).toEqual([run.id]);
      await store.retention.deleteRuns(runs, now);
      now += 89 * DAY;
      await store.retention.deleteUploads(before(), 9);
      expect(await store.files.archivesByIds([used.id])).toHaveLength(1);
      now += 2 * DAY;
      await store.retention.deleteUploads(before(), 9);
      expect(await store.files.archivesByIds([used.id])).toEqual([]);
    });

    it('that a user asks for are young again, so that a run can still name them', async () => {
      let now = NOW;
      const world = await openWorld(tests, { now: () => now });
      const { store, userId } = world;
      await store.files.insertArchive(archive(world, 'asked', NOW));
      now += 100 * DAY;
      expect(await store.files.archiveByHash(userId, 'asked')).not.toBeNull();
      expect(await store.retention.deleteUploads(now - 90 * DAY, 9)).toBe(0);
    });

    it('share blobs: a blob goes with its last upload, unless it was stored again', async () => {
      let now = NOW;
      const world = await openWorld(tests, { now: () => now });
      const { blobs } = world.store.files;
      await blobs.put('sha', Buffer.from('x'));
      now += 10 * DAY;
      await blobs.put('sha', Buffer.from('x'));
      expect(await blobs.delete('sha', now - DAY)).toBe(false);
      expect(await blobs.has('sha')).toBe(true);
      expect(await blobs.delete('sha', now + 1)).toBe(true);
      expect(await blobs.has('sha')).toBe(false);
      expect(await blobs.delete('sha', now + 1)).toBe(true);
    });
  });
});

import { describe, expect } from 'vitest';
import type { Flow } from '../suite.ts';
import { rows } from './projects-and-fleets.ts';

export function offerFlows(flow: Flow): void {
  describe('offers', () => {
    flow('are listed', async ({ client }) => {
      const listed = await client.ok('offer');
      expect(listed).toMatch(rows('1', 'ssh (local)', 'local-process', '$0'));
    });

    flow('are shown as JSON', async ({ client }) => {
      expect(JSON.parse(await client.ok('offer', '--json'))).toMatchObject({
        project: 'main',
        user: 'admin',
        total_offers: 1,
        offers: [{ backend: 'remote', region: 'local', price: 0, availability: 'available' }],
      });
    });

    flow('are grouped by GPU', async ({ client }) => {
      // This computer counts as one without GPUs, and such offers belong to no group.
      expect(await client.ok('offer', '--group-by', 'gpu')).toMatch(/Group by\s+gpu/);
      const grouped = JSON.parse(await client.ok('offer', '--group-by', 'gpu,backend', '--json'));
      expect(grouped).toMatchObject({ project: 'main', gpus: [] });
    });

    flow('are those of a fleet', async ({ client }) => {
      const listed = await client.ok('offer', '--fleet', 'default');
      expect(listed).toMatch(rows('1', 'ssh (local)', 'local-process'));
    });

    flow('are empty if nothing matches', async ({ client }) => {
      const found = JSON.parse(await client.ok('offer', '--gpu', 'H100:8', '--json'));
      expect(found).toMatchObject({ offers: [], total_offers: 0 });
      expect(await client.ok('offer', '--gpu', 'H100:8')).not.toContain('local-process');
    });
  });
}

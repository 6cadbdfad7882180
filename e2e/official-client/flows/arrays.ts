import { describe, expect } from 'vitest';
import { isFinished, untilRun } from '../../installation.ts';
import { waitFor } from '../../until.ts';
import type { Flow } from '../suite.ts';

interface ShownArray {
  readonly array: { readonly members: Readonly<Record<string, number>> };
}

/** Arrays are submitted by our clients; official ones see them as one run with jobs. */
export function arrayFlows(flow: Flow): void {
  describe('arrays', () => {
    flow('are listed, read and stopped as a run, and their members by name', async (scene) => {
      const { client, server } = scene;
      const configuration = {
        ...{ type: 'task', commands: ['echo i am $DSTACK_ARRAY_INDEX', 'sleep 1000'] },
        ...{ array: { count: 12 }, resources: { gpu: 0 } },
      };
      const run_spec = { run_name: 'sweep', configuration, profile: { name: 'default' } };
      await server.api('/api/project/main/runs/apply', { plan: { run_spec }, force: false });
      await waitFor(
        () => server.api<ShownArray>('/api/project/main/runs/get', { run_name: 'sweep' }),
        // A member has a job from its first pass on.
        ({ array: { members } }) => (members.running ?? 0) > 0 && members.pending === 0,
        (seen) => JSON.stringify(seen.array),
      );
      const listed = await client.ok('ps');
      expect(listed).toMatch(/^\s*sweep /m);
      expect(listed.match(/replica=\d+/g)?.length).toBe(10);
      expect(listed).not.toContain('sweep-1');
      expect(await client.ok('run', 'get', 'sweep', '--json')).toContain('"replica_num": 11');
      await client.ok('stop', '-y', 'sweep-3');
      await untilRun(server, 'sweep-3', isFinished);
      await client.ok('stop', '-y', 'sweep');
      const ended = await untilRun(server, 'sweep', isFinished);
      expect(ended.status).toBe('terminated');
      expect(await client.ok('ps', '-a')).toMatch(/sweep .*/);
      expect(await client.ok('logs', 'sweep-0')).toContain('i am 0');
      expect(await client.ok('logs', 'sweep')).toContain('i am 0');
    });
  });
}

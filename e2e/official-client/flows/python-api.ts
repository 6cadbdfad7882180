import { join } from 'node:path';
import { describe, expect } from 'vitest';
import type { Flow } from '../suite.ts';

const program = join(import.meta.dirname, '..', 'python-api.py');

export function pythonFlows(flow: Flow): void {
  describe('the Python API', () => {
    flow('plans, submits, waits and reads logs', async ({ client }) => {
      const seen = await client.python<{ readonly logs: string }>(program, 'planned');
      expect(seen).toMatchObject({
        offers: 1,
        name: 'py-planned',
        status: 'done',
        backend: 'remote',
        hostname: '127.0.0.1',
      });
      expect(seen.logs.trim()).toBe('from a plan');
    });

    flow('attaches to a run that it has submitted', async ({ client }) => {
      const seen = await client.python<{ readonly logs: string }>(program, 'applied');
      expect(seen).toMatchObject({ attached: true, status: 'done' });
      expect(seen.logs.trim()).toBe('python');
    });

    flow('stops', async ({ client }) => {
      expect(await client.python(program, 'stopped')).toEqual({
        active: ['py-stopped'],
        status: 'terminated',
      });
    });

    flow('aborts while attached', async ({ client }) => {
      expect(await client.python(program, 'aborted')).toEqual({ ports: 1, status: 'terminated' });
    });

    flow('lists runs and fleets, and returns the current user', async ({ client }) => {
      const seen = await client.python<{ readonly all: string[] }>(program, 'listed');
      expect(seen).toMatchObject({
        limited: 2,
        found: 'py-planned',
        unknown: null,
        backends: [],
        fleets: ['default'],
        user: 'admin',
      });
      expect(seen.all).toContain('py-applied');
    });
  });
}

import { describe, expect } from 'vitest';
import { isRunning, untilRun } from '../../installation.ts';
import type { OfficialClient } from '../official-client.ts';
import type { Flow } from '../suite.ts';
import { fleet, STAYING, task } from './configurations.ts';

export function projectFlows(flow: Flow): void {
  describe('projects', () => {
    flow('a wrong token is refused', async ({ client, server }) => {
      const { code, stdout } = await client.run(addProject('main', server.url, 'wrong'));
      expect(code).toBe(1);
      expect(stdout).toContain('is denied. Please check your access token');
      expect(await client.ok('project', 'list')).not.toContain(server.url);
    });

    flow('a project is added', async ({ client, server }) => {
      await client.ok(...addProject('main', server.url, server.token()));
      expect(await client.ok('project', 'list')).toMatch(rows('main', server.url, '✓'));
    });

    flow('a project can be added twice', async ({ client, server }) => {
      await client.ok(...addProject('main', server.url, server.token()));
    });

    flow('an unknown project is refused', async ({ client, server }) => {
      const { code, stdout } = await client.run(addProject('nosuch', server.url, server.token()));
      expect(code).toBe(1);
      expect(stdout).toContain('nosuch');
    });

    flow('another project becomes the default and is removed again', async ({ client, server }) => {
      await server.api('/api/projects/create', { project_name: 'second', is_public: false });
      await client.ok(...addProject('second', server.url, server.token()));
      await client.ok('project', 'set-default', 'second');
      expect(await client.ok('project', 'list')).toMatch(rows('second', server.url, '✓'));
      await client.ok('project', 'set-default', 'main');
      await client.ok('project', 'delete', '--name', 'second', '-y');
      expect(await client.ok('project', 'list')).not.toContain('second');
    });
  });
}

export function fleetFlows(flow: Flow): void {
  describe('fleets', () => {
    flow('a template is applied', async ({ client }) => {
      const applied = await client.ok('apply', '-f', fleet(client, 'default'), '-y');
      expect(applied).toContain('Fleet default does not exist yet');
      expect(applied).toMatch(rows('default', '0..1', 'active'));
    });

    flow('an unchanged fleet is not changed by applying it', async ({ client }) => {
      const applied = await client.ok('apply', '-f', fleet(client, 'default'), '-y');
      expect(applied).toContain('No configuration changes detected');
    });

    flow('another number of nodes is applied in place', async ({ client }) => {
      const { id } = await getFleet(client, 'default');
      const file = fleet(client, 'default').replace('.fleet', '.changed.fleet');
      client.write(file, 'type: fleet\nname: default\nnodes: 0..2\nresources: {gpu: 0}\n');
      await client.ok('apply', '-f', file, '-y');
      expect(await getFleet(client, 'default')).toMatchObject({
        id,
        spec: { configuration: { nodes: { min: 0, max: 2 } } },
      });
      await client.ok('apply', '-f', fleet(client, 'default'), '-y');
    });

    flow('another idle duration is applied in place', async ({ client }) => {
      const { id } = await getFleet(client, 'default');
      await client.ok('apply', '-f', fleet(client, 'default', 'idle_duration: 7m'), '-y');
      const changed = await getFleet(client, 'default');
      expect(changed).toMatchObject({ id, spec: { configuration: { idle_duration: 420 } } });
    });

    flow('another number of blocks is applied in place', async ({ client }) => {
      await client.ok('apply', '-f', fleet(client, 'passing'), '-y');
      const { id } = await getFleet(client, 'passing');
      await client.ok('apply', '-f', fleet(client, 'passing', 'blocks: 2'), '-y');
      const changed = await getFleet(client, 'passing');
      expect(changed).toMatchObject({ id, spec: { configuration: { blocks: 2 } } });
    });

    flow('another placement re-creates the fleet', async ({ client }) => {
      const { id } = await getFleet(client, 'passing');
      await client.ok('apply', '-f', fleet(client, 'passing', 'placement: cluster'), '-y');
      const { id: newId, ...made } = await getFleet(client, 'passing');
      expect(newId).not.toBe(id);
      expect(made).toMatchObject({ spec: { configuration: { placement: 'cluster' } } });
      await client.ok('fleet', 'delete', 'passing', '-y');
    });

    flow('fleets are listed', async ({ client }) => {
      expect(await client.ok('fleet', 'list')).toMatch(rows('default', '0..1', 'active'));
      expect(await client.ok('fleet')).toMatch(rows('default', '0..1', 'active'));
    });

    flow('fleets are listed in full', async ({ client }) => {
      const listed = await client.ok('fleet', 'list', '-v');
      expect(listed).toMatch(rows('default', '0..1', 'cpu=2.. mem=8GB.. disk=100GB.. gpu=0'));
    });

    flow('a fleet is shown as JSON', async ({ client }) => {
      expect(JSON.parse(await client.ok('fleet', 'get', 'default', '--json'))).toMatchObject({
        name: 'default',
        project_name: 'main',
        status: 'active',
        instances: [],
        spec: { configuration: { nodes: { min: 0, max: 1 } } },
      });
    });

    flow('an unknown fleet is not found', async ({ client }) => {
      const { code, stdout } = await client.run(['fleet', 'get', 'nosuch', '--json']);
      expect(code).toBe(1);
      expect(stdout).toContain('nosuch');
    });

    flow('a fleet is deleted by its file', async ({ client }) => {
      const file = fleet(client, 'passing');
      await client.ok('apply', '-f', file, '-y');
      expect(await client.ok('delete', '-f', file, '-y')).toContain('Fleet passing deleted');
      expect(await client.ok('fleet', 'list')).not.toContain('passing');
      const { code } = await client.run(['delete', '-f', file, '-y']);
      expect(code).toBe(1);
    });

    flow('a fleet is deleted by its name', async ({ client }) => {
      await client.ok('apply', '-f', fleet(client, 'passing'), '-y');
      await client.ok('fleet', 'delete', 'passing', '-y');
      expect(await client.ok('fleet', 'list')).not.toMatch(rows('passing', 'active'));
    });

    flow(
      'a fleet with a running job cannot be deleted, and later it can',
      async ({ client, server }) => {
        const file = fleet(client, 'worker');
        await client.ok('apply', '-f', file, '-y');
        const busy = task(client, 'busy', STAYING, 'fleets: [worker]');
        await client.ok('apply', '-f', busy, '-y', '-d');
        await untilRun(server, 'busy', isRunning);
        expect(await client.ok('fleet', 'list')).toMatch(rows('instance=0', 'busy'));
        const { code, stdout } = await client.run(['delete', '-f', file, '-y']);
        expect(code).toBe(1);
        expect(stdout).toContain('Fleet is in use');
        await client.ok('stop', 'busy', '--abort', '-y');
        await untilRun(server, 'busy', ({ status }) => status === 'terminated');
        await client.ok('delete', '-f', file, '-y');
        expect(await client.ok('fleet', 'list')).not.toContain('worker');
      },
    );
  });
}

async function getFleet(client: OfficialClient, name: string): Promise<{ readonly id: string }> {
  return JSON.parse(await client.ok('fleet', 'get', name, '--json'));
}

const addProject = (name: string, url: string, token: string) => [
  'project',
  'add',
  '--name',
  name,
  '--url',
  url,
  '--token',
  token,
  '-y',
];

/** A row of a table with these cells among others, in this order. */
export const rows = (...cells: string[]) => {
  const quoted = cells.map((cell) => cell.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^\\s*${quoted.join('\\s.*?')}`, 'm');
};

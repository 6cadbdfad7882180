import { describe, expect } from 'vitest';
import { isFinished, isRunning, showRun, untilRun } from '../../installation.ts';
import type { Flow, Scene } from '../suite.ts';
import { STAYING, task } from './configurations.ts';

/** The official client has no commands for a queue; it lists, shows and stops waiting runs like any others. */
export function queueFlows(flow: Flow): void {
  describe('the queue', () => {
    flow(
      'runs that are held, or wait for another one or for a quota, are listed, shown and stopped',
      async (scene) => {
        const { client, server } = scene;
        await client.ok('apply', '-f', task(client, 'blocking', STAYING), '-y', '-d');
        await untilRun(server, 'blocking', isRunning);
        const held = task(client, 'held', ['true'], 'retry: true');
        await client.ok('apply', '-f', held, '-y', '-d');
        await server.ok('hold', 'held');
        await submitDependent(server, 'later', 'blocking');
        await server.ok('quota', 'set', '--limit', 'instances=1');
        const limited = task(client, 'limited', ['true'], 'retry: true');
        await client.ok('apply', '-f', limited, '-y', '-d');
        await untilRun(server, 'held', ({ status }) => status === 'pending');
        await untilRun(server, 'later', ({ status }) => status === 'pending');
        await untilRun(server, 'limited', ({ status_message }) => status_message === 'quota');
        const listed = await client.ok('ps', '-a', '-v');
        expect(listed).toMatch(/held .*held/);
        expect(listed).toMatch(/later .*dependency/);
        expect(listed).toMatch(/limited .*quota/);
        await client.run(['logs', 'held']);
        for (const name of ['held', 'later', 'limited']) await isStoppedByClient(scene, name);
        const over = await client.ok('ps', '-a');
        for (const name of ['held', 'later', 'limited']) expect(over).toMatch(ended(name));
        await server.ok('quota', 'delete', '-y');
      },
    );

    flow('a cordoned instance is listed, and not offered', async ({ client, server }) => {
      const name = await instanceOf(server);
      await server.ok('instance', 'cordon', name, '--reason', 'a fan');
      expect(await client.ok('fleet', 'list')).toMatch(/busy/);
      expect(await client.ok('fleet', 'get', 'default', '--json')).toContain(name);
      const file = task(client, 'refused', ['true']);
      const { code, stdout } = await client.run(['apply', '-f', file], { input: 'n\n' });
      expect(code, stdout).toBe(0);
      await server.ok('instance', 'uncordon', name);
      await client.ok('stop', 'blocking', '-y');
      await untilRun(server, 'blocking', isFinished);
    });

    flow('an attached run that has to leave is followed to its next attempt', async (scene) => {
      const { client, server } = scene;
      const file = task(client, 'leaving', [
        'if [ "$DSTACK_RUN_RESUME_COUNT" -gt 0 ]; then echo second; exit 0; fi',
        'echo first; exec sleep 600',
      ]);
      const session = client.start(['apply', '-f', file, '-y']);
      await session.until('first');
      const before = await showRun(server, 'leaving');
      const name = await instanceOf(server);
      await server.ok('instance', 'drain', name, '--deadline', '2s');
      const left = await untilRun(
        server,
        'leaving',
        ({ latest_job_submission: { id } }) => id !== before.latest_job_submission.id,
      );
      expect(['pending', 'submitted', 'provisioning']).toContain(left.status);
      expect(await client.ok('ps', '-a')).toMatch(/leaving/);
      expect(await client.ok('run', 'get', 'leaving', '--json')).toContain(
        'interrupted_by_no_capacity',
      );
      await server.ok('instance', 'uncordon', name);
      const { code, stdout } = await session.ended;
      expect(stdout).toContain('second');
      expect(code).toBe(0);
    });

    flow('a fleet with maintenance is listed and read, and what waits for it', async (scene) => {
      const { client, server } = scene;
      const began = new Date(Date.now() - 20 * 60_000);
      const schedule = `${began.getUTCMinutes()} ${began.getUTCHours()} * * *`;
      await setMaintenance(server, { schedule, duration: '2h' });
      expect(await client.ok('fleet', 'list')).toMatch(/default/);
      expect(await client.ok('fleet', 'get', 'default', '--json')).toContain('"status": "active"');
      const file = task(client, 'patient', ['true']);
      await client.ok('apply', '-f', file, '-y', '-d');
      await untilRun(server, 'patient', ({ status_message }) => status_message === 'maintenance');
      expect(await client.ok('ps', '-a')).toMatch(/patient .*maintenance/);
      await isStoppedByClient(scene, 'patient');
      await setMaintenance(server, null);
    });
  });
}

async function submitDependent(server: Scene['server'], name: string, run: string): Promise<void> {
  const configuration = {
    ...{ type: 'task', name, commands: ['true'], resources: { gpu: 0 } },
    depends_on: [{ run, on: 'success' }],
  };
  const plan = { run_spec: { run_name: name, configuration } };
  await server.api('/api/project/main/runs/apply', { plan, force: true });
}

async function isStoppedByClient({ client, server }: Scene, name: string): Promise<void> {
  const shown = JSON.parse(await client.ok('run', 'get', name, '--json'));
  expect(shown.run_spec.run_name).toBe(name);
  await client.ok('stop', name, '-y');
  await untilRun(server, name, isFinished);
}

const ended = (name: string) => new RegExp(`${name} .*(stopped|terminated)`);

async function setMaintenance(server: Scene['server'], maintenance: object | null): Promise<void> {
  const path = '/api/project/main/fleets';
  const fleet = await server.api<{ readonly spec: { readonly configuration: object } }>(
    ...([`${path}/get`, { name: 'default' }] as const),
  );
  const configuration = { ...fleet.spec.configuration, maintenance };
  const plan = { spec: { ...fleet.spec, configuration }, current_resource: fleet };
  await server.api(`${path}/apply`, { plan, force: true });
}

async function instanceOf(server: Scene['server']): Promise<string> {
  const { instances } = await server.api<{
    instances: { readonly name: string; readonly status: string }[];
  }>('/api/project/main/fleets/get', { name: 'default' });
  return instances.find(({ status }) => status === 'busy' || status === 'idle')?.name ?? '';
}

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { isFinished, isRunning, sharedFolder, showRun, untilRun } from '../../installation.ts';
import { freePort } from '../../serving.ts';
import type { Flow } from '../suite.ts';
import { STAYING, task } from './configurations.ts';

export function attachFlows(flow: Flow): void {
  describe('attaching and stopping', () => {
    flow(
      'a dev environment is applied, and stopped by Ctrl-C and "yes"',
      async ({ client, server }) => {
        const file = client.write(
          'dev.dstack.yml',
          'type: dev-environment\nname: dev\ninit: [echo ready to work]\nresources: {gpu: 0}\n',
        );
        const session = client.start(['apply', '-f', file]);
        session.answer('y');
        await session.until('ready to work');
        expect((await showRun(server, 'dev')).status).toBe('running');
        session.interrupt();
        await session.until('Stop the run dev before detaching?');
        session.answer('y');
        const { stdout } = await session.ended;
        expect(stdout).toContain('Stopped');
        expect(await showRun(server, 'dev')).toMatchObject({
          status: 'terminated',
          termination_reason: 'stopped_by_user',
        });
      },
    );

    flow('an attached run continues after Ctrl-C and "no"', async ({ client, server }) => {
      const session = client.start(['apply', '-f', task(client, 'staying', STAYING)]);
      session.answer('y');
      await session.until('here I am');
      session.interrupt();
      await session.until('Stop the run staying before detaching?');
      session.answer('n');
      expect((await session.ended).stdout).toContain('Detached');
      expect((await showRun(server, 'staying')).status).toBe('running');
    });

    flow('attach shows the logs so far and ends with Ctrl-C', async ({ client, server }) => {
      const session = client.start(['attach', 'staying', '--logs']);
      await session.until('Attached to run staying (replica=0 job=0)');
      await session.until('here I am');
      session.interrupt();
      expect((await session.ended).stdout).toContain('Detached');
      expect((await showRun(server, 'staying')).status).toBe('running');
    });

    flow('a run is stopped', async ({ client, server }) => {
      expect(await client.ok('stop', 'staying', '-y')).toContain('Stopp');
      expect(await untilRun(server, 'staying', isFinished)).toMatchObject({
        status: 'terminated',
        termination_reason: 'stopped_by_user',
        latest_job_submission: { status: 'terminated', status_message: 'stopped' },
      });
    });

    flow('a run that ignores signals is aborted', async ({ client, server }) => {
      const commands = ['trap "" INT TERM HUP', 'while :; do sleep 0.1; done'];
      await client.ok('apply', '-f', task(client, 'stubborn', commands), '-y', '-d');
      await untilRun(server, 'stubborn', isRunning);
      expect(await client.ok('stop', 'stubborn', '--abort', '-y')).toContain('Abort');
      expect(await untilRun(server, 'stubborn', isFinished)).toMatchObject({
        status: 'terminated',
        termination_reason: 'aborted_by_user',
        latest_job_submission: { status: 'aborted', status_message: 'aborted' },
      });
      expect(await client.ok('ps', '-a')).toMatch(/stubborn .*aborted/);
    });

    flow('an unknown run is neither stopped nor attached to', async ({ client }) => {
      for (const command of [
        ['stop', 'nosuch', '-y'],
        ['attach', 'nosuch'],
      ]) {
        const { code, stdout } = await client.run(command);
        expect(code).toBe(1);
        expect(stdout).toContain('Run nosuch not found');
      }
    });

    flow('a run that is stopped cannot be attached to', async ({ client }) => {
      const { code, stdout } = await client.run(['attach', 'staying']);
      expect(code).toBe(1);
      expect(stdout).toContain('Run staying is terminated');
    });

    flow('attaching to a finished run prints its logs and ends', async ({ client }) => {
      const file = task(client, 'finished', ['echo the last words']);
      await client.ok('apply', '-f', file, '-y');
      const { code, stdout } = await client.run(['attach', 'finished', '--logs']);
      expect(code).toBe(0);
      expect(stdout).toContain('the last words');
      expect(stdout).toContain('Exited (0)');
    });

    flow('attaching to a run that then fails ends with 1', async ({ client, server }) => {
      const gate = join(sharedFolder(server), 'gate');
      const commands = ['echo waiting', `while [ ! -e ${gate} ]; do sleep 0.05; done`, 'exit 5'];
      await client.ok('apply', '-f', task(client, 'gated', commands), '-y', '-d');
      await untilRun(server, 'gated', isRunning);
      const session = client.start(['attach', 'gated', '--logs']);
      await session.until('waiting');
      writeFileSync(gate, '');
      const { code, stdout } = await session.ended;
      expect(stdout).toContain('Exited (5)');
      expect(code).toBe(1);
    });

    flow('ports are forwarded while attached', async ({ client, server }) => {
      const [remote, local] = [await freePort(), await freePort()];
      const commands = [`exec python3 -u -m http.server --bind 127.0.0.1 ${remote}`];
      const file = task(client, 'website', commands, `ports: ["${local}:${remote}"]`);
      const session = client.start(['apply', '-f', file]);
      session.answer('y');
      await session.until('Serving HTTP');
      expect((await fetch(`http://localhost:${local}/`)).status).toBe(200);
      session.interrupt();
      await session.until('before detaching?');
      session.answer('y');
      await session.ended;
      expect((await showRun(server, 'website')).status).toBe('terminated');
    });
  });
}

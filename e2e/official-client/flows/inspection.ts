import { describe, expect } from 'vitest';
import { isRunning, untilRun } from '../../installation.ts';
import { until } from '../../until.ts';
import type { Flow } from '../suite.ts';
import { STAYING, task } from './configurations.ts';

interface ListedRuns {
  readonly project: string;
  readonly runs: readonly { readonly run_spec: { readonly run_name: string } }[];
}

/** Runs of earlier flows: `failing` (exit code 7), `talkative` and `finished` (0). */
export function inspectionFlows(flow: Flow): void {
  describe('looking at runs', () => {
    flow('ps without active runs shows the last one', async ({ client }) => {
      await client.ok('apply', '-f', task(client, 'last', ['echo last']), '-y');
      const listed = await client.ok('ps');
      expect(listed).toMatch(/last .*exited \(0\)/);
      expect(listed).not.toContain('failing');
    });

    flow('ps -a shows all', async ({ client }) => {
      const listed = await client.ok('ps', '-a');
      expect(listed).toMatch(/failing .*exited \(7\)/);
      expect(listed).toMatch(/finished .*exited \(0\)/);
    });

    flow('ps -v shows more', async ({ client }) => {
      expect(await client.ok('ps', '-v')).toMatch(/last .*cpu=.*local-process/);
    });

    flow('ps -n limits the number of runs', async ({ client }) => {
      const listed: ListedRuns = JSON.parse(await client.ok('ps', '-n', '2', '--json'));
      expect(listed.runs).toHaveLength(2);
    });

    flow('ps --json shows whole runs', async ({ client }) => {
      const listed: ListedRuns = JSON.parse(await client.ok('ps', '-a', '--json'));
      expect(listed.project).toBe('main');
      expect(listed.runs[0]?.run_spec.run_name).toBe('last');
      expect(listed.runs.map((run) => run.run_spec.run_name)).toContain('failing');
    });

    flow('logs are those of the run', async ({ client }) => {
      const logs = await client.ok('logs', 'talkative');
      const lines = logs.split(/\r?\n/).filter((line) => line.startsWith('line '));
      expect(lines).toHaveLength(5000);
    });

    flow('logs --since shows only later lines', async ({ client }) => {
      expect(await client.ok('logs', 'last', '--since', '1h')).toContain('last');
      const future = '2999-01-01T00:00:00Z';
      expect((await client.ok('logs', 'last', '--since', future)).trim()).toBe('');
    });

    flow('logs -d shows diagnostic logs', async ({ client }) => {
      await client.ok('logs', '-d', 'failing');
    });

    flow('logs of an unknown run are refused', async ({ client }) => {
      const { code, stdout } = await client.run(['logs', 'nosuch']);
      expect(code).toBe(1);
      expect(stdout).toContain('Run nosuch not found');
    });

    flow('run get shows a run as JSON', async ({ client }) => {
      expect(JSON.parse(await client.ok('run', 'get', 'failing', '--json'))).toMatchObject({
        status: 'failed',
        termination_reason: 'job_failed',
        fleet: { name: 'default' },
        latest_job_submission: {
          status: 'failed',
          termination_reason: 'container_exited_with_error',
          exit_status: 7,
        },
      });
      expect((await client.run(['run', 'get', 'nosuch', '--json'])).code).toBe(1);
    });

    flow('metrics of a running job have values', async ({ client, server }) => {
      await client.ok('apply', '-f', task(client, 'metered', STAYING), '-y', '-d');
      await untilRun(server, 'metered', isRunning);
      await until(async () => /cpu .*\d+%/.test(await client.ok('metrics', 'metered')));
      expect(await client.ok('metrics', 'metered')).toMatch(/job=0 +cpu .*\d+%.*\d+MB\/\d+GB/);
      await client.ok('stop', 'metered', '-x', '-y');
    });
  });

  describe('events', () => {
    flow('are those of the project', async ({ client }) => {
      const listed = await client.ok('event');
      expect(listed).toContain('Job status changed TERMINATING -> DONE');
      expect(await client.ok('event', 'list')).toContain('[job last-0-0]');
    });

    flow('are those of a run', async ({ client }) => {
      const listed = await client.ok('event', '--target-run', 'failing');
      expect(listed).toContain('Run submitted. Status: SUBMITTED');
      expect(listed).toContain('Termination reason: JOB_FAILED');
      expect(listed).not.toContain('[job ');
    });

    flow('are those within a run', async ({ client }) => {
      const listed = await client.ok('event', '--within-run', 'failing');
      expect(listed).toContain('Job status changed RUNNING -> TERMINATING');
      expect(listed).not.toContain('last-0-0');
    });

    flow('are those of a fleet and its instances', async ({ client }) => {
      expect(await client.ok('event', '--target-fleet', 'default')).toContain('Fleet created');
      const within = await client.ok('event', '--within-fleet', 'default');
      expect(within).toContain('Job assigned to instance. Instance blocks: 1/1 busy');
    });

    flow('are those of one type, and of a time', async ({ client }) => {
      const instances = await client.ok('event', '--include-target-type', 'instance');
      expect(instances).toContain('[instance default-0');
      expect(instances).not.toContain('Run submitted');
      expect((await client.ok('event', '--since', '2999-01-01T00:00:00Z')).trim()).toBe('');
    });

    flow('of an unknown target are refused', async ({ client }) => {
      for (const filter of ['--target-run', '--within-fleet'])
        expect((await client.run(['event', filter, 'nosuch'])).code).toBe(1);
    });
  });
}

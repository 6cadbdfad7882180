import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Installation } from '@dstack/testkit';
import { hostsMissing, startHosts, type TestHosts } from '@dstack/testkit/hosts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { isFinished, isRunning, newInstallation, showRun, untilRun } from '../installation.ts';
import { OfficialClient, officialClient } from './official-client.ts';

const run = promisify(execFile);
const program = join(import.meta.dirname, 'python-api.py');

const RESOURCES = 'resources: {cpu: 1.., memory: 1GB.., disk: 1GB.., gpu: 0}\n';

interface ShownJobs {
  readonly jobs: readonly {
    readonly job_submissions: readonly { readonly status: string }[];
  }[];
}

/**
 * Drives a fleet of real hosts with that version of the official client: everything goes over SSH.
 */
export function describeOverSsh(version: string): void {
  const { path, missing: noClient } = officialClient(version);
  const missing = noClient ?? hostsMissing();
  if (missing) {
    if (process.env.CI) throw new Error(`The client over SSH cannot be tested: ${missing}`);
    console.warn(`The official client ${version} over SSH is NOT tested: ${missing}`);
  }
  describe.skipIf(missing !== null)(`the official client ${version} and hosts by SSH`, () => {
    let machines: TestHosts;
    let server: Installation;
    let client: OfficialClient;
    beforeAll(async () => {
      machines = await startHosts({ count: 2 });
      await machines.busybox('busybox:test');
      server = newInstallation();
      await server.startServer();
      client = new OfficialClient(path ?? '', join(server.home, 'client'));
      await client.ok(
        'project',
        'add',
        '--name',
        'main',
        '--url',
        server.url,
        '--token',
        server.token(),
        '-y',
      );
    }, 120_000);
    afterEach(async () => {
      const active = await server.api<{ run_spec: { run_name: string } }[]>('/api/runs/list', {
        only_active: true,
      });
      const runs_names = active.map(({ run_spec }) => run_spec.run_name);
      await server.api('/api/project/main/runs/stop', { runs_names, abort: true });
      for (const name of runs_names) await untilRun(server, name, isFinished);
    });
    afterAll(async () => {
      await server?.dispose();
      machines?.close();
    });

    const write = (name: string, commands: readonly string[], more = '') =>
      client.write(
        `${name}.dstack.yml`,
        `type: task\nname: ${name}\nimage: busybox:test\ncommands: ${JSON.stringify(commands)}\n${RESOURCES}${more}`,
      );

    /** Uses the configuration that the client has written. */
    const ssh = async (...args: string[]) => {
      const config = join(client.home, '.dstack', 'ssh', 'config');
      return (await run('ssh', ['-n', '-F', config, ...args])).stdout;
    };

    it('become a fleet', async () => {
      const hosts = JSON.stringify(machines.hosts.map(({ address }) => address));
      const file = client.write(
        'fleet.dstack.yml',
        `type: fleet\nname: pool\nplacement: cluster\nssh_config:\n  user: root\n  identity_file: ${machines.keyPath}\n  hosts: ${hosts}\n`,
      );
      const printed = await client.ok('apply', '-f', file, '-y');
      expect(printed).toMatch(/pool[\s\S]*ssh[\s\S]*idle/);
      expect(await client.ok('fleet', '-v')).toMatch(/cluster/);
    });

    it('run what is applied, and show it to the end', async () => {
      const file = write('brief', ['echo "on $(hostname)"', 'sleep 1', 'echo the last words']);
      const { code, stdout } = await client.run(['apply', '-f', file, '-y']);
      expect(stdout).toMatch(/the last words\r?\n/);
      expect(stdout).toContain('on brief');
      expect(code).toBe(0);
    });

    it('end an attached run that fails with 1', async () => {
      // The client shows no output of a run that has ended by the time it looks.
      const file = write('failing', ['echo trouble', 'sleep 3', 'exit 3']);
      const { code, stdout } = await client.run(['apply', '-f', file, '-y']);
      expect(stdout).toContain('trouble');
      expect(stdout).toContain('Exited (3)');
      expect(code).toBe(1);
    });

    it('forward ports and take ssh while a run is applied', async () => {
      const commands = [
        'mkdir -p /www && echo "from $DSTACK_RUN_NAME" > /www/index.html',
        'httpd -p 127.0.0.1:8000 -h /www && echo serving http://localhost:8000/',
        'while :; do sleep 0.1; done',
      ];
      const session = client.start(['apply', '-f', write('site', commands, 'ports: ["*:8000"]\n')]);
      session.answer('y');
      await session.until('serving http://127.0.0.1:');
      const port = /serving http:\/\/127\.0\.0\.1:(\d+)/.exec(session.stdout)?.[1];
      expect(await (await fetch(`http://127.0.0.1:${port}/index.html`)).text()).toBe('from site\n');
      expect(await ssh('site', 'echo "in $DSTACK_RUN_NAME as $USER"')).toBe('in site as root\n');
      session.interrupt();
      await session.until('before detaching?');
      session.answer('y');
      expect((await session.ended).stdout).toContain('Stopped');
      expect((await showRun(server, 'site')).status).toBe('terminated');
    });

    it('let attach in, with and without logs', async () => {
      const file = write('staying', ['echo here I am', 'while :; do sleep 0.1; done']);
      await client.ok('apply', '-f', file, '-y', '-d');
      await untilRun(server, 'staying', isRunning);
      const session = client.start(['attach', 'staying']);
      await session.until('Press Ctrl+C to detach');
      expect(await ssh('staying', 'cat /etc/hostname')).toBe('staying\n');
      const second = client.start(['attach', 'staying', '--logs']);
      await second.until('here I am');
      second.interrupt();
      expect((await second.ended).stdout).toContain('Detached');
      session.interrupt();
      expect((await session.ended).stdout).toContain('Detached');
    });

    it('let attach into each node of a cluster', async () => {
      const commands = ['echo "node $DSTACK_NODE_RANK of $DSTACK_NODES_NUM"', 'exec sleep 600'];
      await client.ok('apply', '-f', write('nodes', commands, 'nodes: 2\n'), '-y', '-d');
      await untilRun(server, 'nodes', (shown) =>
        (shown as unknown as ShownJobs).jobs.every(
          (job) => job.job_submissions.at(-1)?.status === 'running',
        ),
      );
      const sessions = [];
      for (const job of [0, 1]) {
        const session = client.start(['attach', 'nodes', '--job', String(job), '--logs']);
        sessions.push(session);
        await session.until(`Attached to run nodes (replica=0 job=${job})`);
        await session.until(`node ${job} of 2`);
      }
      const rank = 'echo "rank $DSTACK_NODE_RANK"';
      expect([await ssh('nodes', rank), await ssh('nodes-1-0', rank)]).toEqual([
        'rank 0\n',
        'rank 1\n',
      ]);
      expect(await client.ok('logs', 'nodes', '--job', '1')).toContain('node 1 of 2');
      for (const session of sessions) {
        session.interrupt();
        expect((await session.ended).stdout).toContain('Detached');
      }
    });

    it('serve programs on the Python API', async () => {
      const seen = await client.python<{ readonly logs: string }>(program, 'on_hosts');
      expect(seen).toMatchObject({
        attached: true,
        status: 'done',
        hostname: machines.hosts[0]?.address,
        answer: 'from python\n',
      });
      expect(seen.logs).toContain('the end');
    });

    it('are let go', async () => {
      await client.ok('fleet', 'delete', 'pool', '-y');
      while ((await client.ok('fleet')).includes('pool'));
    });
  });
}

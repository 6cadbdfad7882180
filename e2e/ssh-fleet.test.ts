import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Installation } from '@dstack/testkit';
import { hostsMissing, startHosts, type TestHost, type TestHosts } from '@dstack/testkit/hosts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { countedTo, counting, linesOf, seenInLogs } from './counting.ts';
import { afterFailure } from './hosts.ts';
import {
  configuration,
  isFinished,
  isRunning,
  newInstallation,
  submit,
  untilRun,
} from './installation.ts';
import { until, waitFor } from './until.ts';

const run = promisify(execFile);

const missing = hostsMissing();
if (missing && process.env.CI)
  throw new Error(`SSH fleets cannot be tested: ${missing} is missing`);
if (missing) console.warn(`SSH fleets are NOT tested: ${missing} is missing`);

/** The first lines belong to `resources`: the defaults require more than a test host has. */
const IMAGE = '  cpu: 1..\n  memory: 1GB..\n  disk: 1GB..\nimage: busybox:test\n';

interface ShownInstance {
  readonly name: string;
  readonly status: string;
  readonly unreachable: boolean;
  readonly hostname: string | null;
  readonly termination_reason: string | null;
  readonly termination_reason_message: string | null;
  readonly total_blocks: number | null;
  readonly instance_type: { readonly resources: { readonly cpus: number } } | null;
}

interface ShownFleet {
  readonly status: string;
  readonly instances: readonly ShownInstance[];
}

describe.skipIf(missing !== null)('an SSH fleet', () => {
  let machines: TestHosts;
  let first: TestHost;
  let second: TestHost;
  let bare: TestHost;
  let home: Installation;
  beforeAll(async () => {
    machines = await startHosts({ count: 3, docker: [1, 2] });
    [first, second, bare] = machines.hosts as [TestHost, TestHost, TestHost];
    await machines.busybox('busybox:test', [first, second]);
    // Lines of job users are checked here; `host-shell.test.ts` checks those of managers.
    home = newInstallation({ DSTACK_SERVER_HOST_SHELL: 'off' });
    await home.startServer();
  });
  afterEach(({ task }) => afterFailure(task, home, machines.hosts));
  afterAll(async () => {
    await home?.dispose();
    machines?.close();
  });

  async function apply(name: string, hosts: readonly string[], user = 'root'): Promise<void> {
    const yaml = `type: fleet
name: ${name}
ssh_config:
  user: ${user}
  identity_file: ${machines.keyPath}
  hosts: ${JSON.stringify(hosts)}
`;
    const file = configuration(home, `${name}.dstack.yml`, yaml);
    await home.ok('apply', '-f', file, '-y', '-d');
  }

  const fleet = (name: string) => home.api<ShownFleet>('/api/project/main/fleets/get', { name });

  async function untilFleet(name: string, is: (fleet: ShownFleet) => boolean): Promise<ShownFleet> {
    return await waitFor(
      () => fleet(name),
      is,
      () => home.ok('fleet', 'get', name),
    );
  }

  async function untilGone(name: string): Promise<void> {
    const listed = () => home.api<{ name: string }[]>('/api/project/main/fleets/list', {});
    await until(async () => !(await listed()).some((one) => one.name === name));
  }

  const settled = ({ instances }: ShownFleet) =>
    instances.every(({ status }) => ['idle', 'busy', 'terminated'].includes(status));

  it('is idle once its hosts have their agents', async () => {
    await apply('pool', [first.address, second.address]);
    const { instances } = await untilFleet('pool', settled);
    expect(instances).toMatchObject([
      { name: 'pool-0', status: 'idle', hostname: first.address, total_blocks: 1 },
      { name: 'pool-1', status: 'idle', hostname: second.address },
    ]);
    expect(instances[0]?.instance_type?.resources.cpus).toBeGreaterThan(0);
  });

  it('runs tasks in containers of both of its hosts, with their output and exit codes', async () => {
    const on = 'fleets: [pool]\n';
    const tasks = ['left', 'right'];
    for (const name of tasks) {
      const wait = 'while [ ! -e /tmp/seen ]; do sleep 0.1; done';
      const script = ['echo "$DSTACK_RUN_NAME on $(cat /etc/hostname)"', wait, 'exit 5'];
      await submit(home, name, script, IMAGE + on);
    }
    await Promise.all(tasks.map((name) => untilRun(home, name, isRunning)));
    const { instances } = await fleet('pool');
    expect(instances.map(({ status }) => status)).toEqual(['busy', 'busy']);
    for (const name of tasks) {
      await home.ok('exec', name, '--', 'touch', '/tmp/seen');
      const run = await untilRun(home, name, isFinished);
      expect(run.latest_job_submission).toMatchObject({ exit_status: 5 });
      expect(await home.ok('logs', name)).toContain(`${name} on `);
    }
    await untilFleet('pool', (shown) => shown.instances.every(({ status }) => status === 'idle'));
  });

  it('keeps a job while its link is cut: shown as unreachable, and every line is there afterwards', async () => {
    await submit(home, 'distant', counting(300), `${IMAGE}fleets: [pool]\n`);
    await untilRun(home, 'distant', isRunning);
    await seenInLogs(home, 'distant', 'line 3');
    const busy = (await fleet('pool')).instances.find(({ status }) => status === 'busy');
    const host = machines.hosts.find(({ address }) => address === busy?.hostname);
    host?.cut();
    try {
      await untilFleet('pool', ({ instances }) => instances.some((one) => one.unreachable));
      expect(isRunning(await untilRun(home, 'distant', () => true))).toBe(true);
    } finally {
      host?.restore();
    }
    const run = await untilRun(home, 'distant', isFinished);
    expect(run.latest_job_submission.exit_status).toBe(3);
    expect(await linesOf(home, 'distant')).toEqual(countedTo(300));
    expect((await fleet('pool')).instances.some((one) => one.unreachable)).toBe(false);
  }, 120_000);

  it('keeps a job when its agent dies', async () => {
    await submit(home, 'orphan', counting(60), `${IMAGE}fleets: [pool]\n`);
    await untilRun(home, 'orphan', isRunning);
    await seenInLogs(home, 'orphan', 'line 3');
    for (const host of [first, second]) await host.exec('pkill -9 -f [/]main.js');
    const run = await untilRun(home, 'orphan', isFinished);
    expect(run.latest_job_submission.exit_status).toBe(3);
    expect(await linesOf(home, 'orphan')).toEqual(countedTo(60));
  });

  it('is linked again when the server restarts, and its jobs are unaffected', async () => {
    await submit(home, 'left-alone', counting(60), `${IMAGE}fleets: [pool]\n`);
    await untilRun(home, 'left-alone', isRunning);
    await home.stopServer('SIGKILL');
    await home.startServer();
    const run = await untilRun(home, 'left-alone', isFinished);
    expect(run.latest_job_submission.exit_status).toBe(3);
    expect(await linesOf(home, 'left-alone')).toEqual(countedTo(60));
  });

  const config = () => join(home.home, '.dstack', 'ssh', 'config');
  const ssh = async (...args: string[]) =>
    (await run('ssh', ['-n', '-F', config(), ...args], { env: home.env })).stdout;

  /** Without its alias the name would be looked up in the network. */
  async function untilAlias(alias: string): Promise<void> {
    const written = () => existsSync(config()) && readFileSync(config(), 'utf8');
    await until(() => `${written()}`.includes(`Host ${alias}\n`));
  }

  it('lets its user log in to a job through the host, and nowhere else', async () => {
    await submit(home, 'open', ['sleep 600'], `${IMAGE}fleets: [pool]\n`);
    await untilRun(home, 'open', isRunning);
    const keys = () =>
      Promise.all(
        [first, second].map((host) => host.exec('cat /root/.ssh/authorized_keys || true')),
      );
    const line = (await keys())
      .join('')
      .split('\n')
      .find((text) => text.includes(' dstack:'));
    expect(line).toMatch(/^restrict,port-forwarding,permitopen="localhost:\d+"/);
    home.spawn(['attach', 'open']);
    await untilAlias('open');
    expect(await ssh('open', 'echo inside $DSTACK_RUN_NAME')).toBe('inside open\n');
    // The host itself does not accept the key: it only forwards to the job.
    await expect(ssh('open-host', 'echo inside')).rejects.toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/no shell on their host: ssh to the run itself/),
    });
    await home.ok('stop', 'open', '--abort', '-y');
    await untilRun(home, 'open', isFinished);
  });

  describe('reports of a host that cannot be added', () => {
    const why = async (name: string) => {
      const { instances } = await untilFleet(name, settled);
      expect(instances[0]).toMatchObject({ status: 'terminated', termination_reason: 'error' });
      return instances[0]?.termination_reason_message;
    };
    afterEach(async () => {
      await home.ok('fleet', 'delete', 'bad', '-y');
      await untilGone('bad');
    });

    it('that the user is refused', async () => {
      await apply('bad', [bare.address], 'stranger');
      expect(await why('bad')).toMatch(/refused the login of stranger/);
    });

    it('that it has no Docker', async () => {
      await apply('bad', [bare.address]);
      expect(await why('bad')).toMatch(/No Docker on the host/);
    });

    it('that it is down, and retries', async () => {
      bare.cut();
      try {
        await apply('bad', [bare.address]);
        const { instances } = await untilFleet('bad', (shown) =>
          shown.instances.some((one) =>
            /cannot be reached/.test(one.termination_reason_message ?? ''),
          ),
        );
        expect(instances[0]?.status).toBe('pending');
      } finally {
        bare.restore();
      }
    });
  });

  it('refuses a host of another fleet', async () => {
    const yaml = `type: fleet\nname: other\nssh_config:\n  user: root\n  identity_file: ${machines.keyPath}\n  hosts: [${first.address}]\n`;
    const file = configuration(home, 'other.dstack.yml', yaml);
    const { code, stderr, stdout } = await home.dstack(['apply', '-f', file, '-y', '-d']);
    expect(code).not.toBe(0);
    expect(stderr + stdout).toMatch(/belongs to another fleet/);
  });

  it('removes a host in place, with its agent', async () => {
    await apply('pool', [first.address]);
    await untilFleet('pool', ({ instances }) => instances.length === 1);
    expect(await second.exec('ls -d /var/lib/dstack /opt/dstack || true')).toBe('');
    expect((await fleet('pool')).instances).toMatchObject([{ status: 'idle' }]);
  });

  it('leaves nothing on its hosts when it is deleted', async () => {
    await home.ok('fleet', 'delete', 'pool', '-y');
    await untilGone('pool');
    expect(await first.exec('ls -d /var/lib/dstack /opt/dstack || true')).toBe('');
    expect(await first.exec('pgrep -f [m]ain.js || true')).toBe('');
  });
});

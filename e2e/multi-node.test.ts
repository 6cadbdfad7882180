import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Installation } from '@dstack/testkit';
import { hostsMissing, startHosts, type TestHost, type TestHosts } from '@dstack/testkit/hosts';
import { importMpiImage, mpiMissing } from '@dstack/testkit/mpi-image';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { afterFailure } from './hosts.ts';
import {
  configuration,
  isFinished,
  newInstallation,
  type ShownRun,
  submit,
  untilRun,
} from './installation.ts';

const run = promisify(execFile);

const missing = hostsMissing() ?? mpiMissing() ?? (existsSync('/usr/bin/ssh') ? null : 'ssh');
if (missing && process.env.CI) throw new Error(`Clusters cannot be tested: ${missing} is missing`);
if (missing) console.warn(`Clusters are NOT tested: ${missing} is missing`);

/** The first lines belong to `resources`: the defaults require more than a test host has. */
const SMALL = '  cpu: 1..\n  memory: 1GB..\n  disk: 1GB..\nimage: mpi:test\n';
const TWO = `${SMALL}nodes: 2\nfleets: [cluster]\n`;
const LAUNCH =
  'mpirun --allow-run-as-root --hostfile $DSTACK_MPI_HOSTFILE --map-by node -n 2 ' +
  `sh -c 'echo "rank $OMPI_COMM_WORLD_RANK of $OMPI_COMM_WORLD_SIZE on $(hostname)"'`;
/** Node 0 launches the program, the others wait for processes launched in them. */
const MPI_JOB = `if [ $DSTACK_NODE_RANK = 0 ]; then ${LAUNCH}; else sleep 600; fi`;

interface ShownSubmission {
  readonly id: string;
  readonly status: string;
  readonly termination_reason: string | null;
  readonly exit_status: number | null;
}

interface ShownCluster extends ShownRun {
  readonly jobs: readonly {
    readonly job_spec: { readonly job_num: number };
    readonly job_submissions: readonly ShownSubmission[];
  }[];
}

describe.skipIf(missing !== null)('a task on several hosts', () => {
  let machines: TestHosts;
  let cluster: readonly TestHost[];
  let home: Installation;
  beforeAll(async () => {
    machines = await startHosts({ count: 3 });
    await importMpiImage(
      'mpi:test',
      machines.hosts.map((host) => host.docker),
    );
    cluster = machines.hosts.slice(0, 2);
    home = newInstallation();
    await home.startServer();
    await apply('cluster', cluster, 'placement: cluster\n');
    await apply('single', machines.hosts.slice(2));
  }, 120_000);
  afterEach(({ task }) => afterFailure(task, home, machines.hosts));
  afterAll(async () => {
    await home?.dispose();
    machines?.close();
  });

  async function apply(name: string, hosts: readonly TestHost[], more = ''): Promise<void> {
    const yaml = `type: fleet
name: ${name}
${more}ssh_config:
  user: root
  identity_file: ${machines.keyPath}
  hosts: ${JSON.stringify(hosts.map(({ address }) => address))}
`;
    await home.ok('apply', '-f', configuration(home, `${name}.dstack.yml`, yaml), '-y');
  }

  const fleet = () =>
    home.api<{ instances: readonly { status: string }[] }>('/api/project/main/fleets/get', {
      name: 'cluster',
    });
  const finished = async (name: string) => (await untilRun(home, name, isFinished)) as ShownCluster;
  const last = (run: ShownCluster) => run.jobs.map((job) => job.job_submissions.at(-1));
  const logs = (name: string, job = 0) => home.ok('logs', name, '--job', String(job));

  const lines = async (name: string, job = 0) => (await logs(name, job)).split(/\r?\n/);

  async function whenAllRun(name: string): Promise<void> {
    const running = (run: ShownRun) =>
      last(run as ShownCluster).every((submission) => submission?.status === 'running');
    await untilRun(home, name, running);
  }

  it('gets the addresses of its nodes', async () => {
    const show = [
      'env | grep ^DSTACK_NODE | sort',
      'echo "master $DSTACK_MASTER_NODE_IP gpus $DSTACK_GPUS_PER_NODE/$DSTACK_GPUS_NUM"',
      'cat $DSTACK_MPI_HOSTFILE',
    ];
    await submit(home, 'told', show, TWO);
    expect((await finished('told')).status).toBe('done');
    const [first, second] = cluster.map(({ address }) => address);
    for (const rank of [0, 1]) {
      const expected = [
        `DSTACK_NODES_IPS=${first}`,
        'DSTACK_NODES_NUM=2',
        `DSTACK_NODE_RANK=${rank}`,
        `master ${first} gpus 0/0`,
        `${first}`,
        `${second}`,
      ];
      expect(await lines('told', rank)).toEqual(expect.arrayContaining(expected));
    }
  });

  it('runs mpirun over its hosts', async () => {
    await submit(home, 'mpi', [MPI_JOB], `${TWO}stop_criteria: master-done\n`);
    const run = await finished('mpi');
    const ranks = cluster.map(({ name }, rank) => `rank ${rank} of 2 on ${name}`);
    expect(await lines('mpi')).toEqual(expect.arrayContaining(ranks));
    expect(run.status).toBe('done');
    expect(last(run).map((submission) => submission?.status)).toEqual(['done', 'done']);
    // No process listens there any more.
    for (const host of cluster) expect(await host.exec('ss -Hltn "sport = :10022"')).toBe('');
  });

  it('gets the addresses of its groups', async () => {
    const group = (name: string, command: string) =>
      `  - name: ${name}\n    commands: ["${command}"]\n    resources: { cpu: 1.., memory: 1GB.., disk: 1GB.., gpu: 0 }\n`;
    const reference = '${{ groups[0].nodes[0].IP_ADDRESS }}';
    const yaml = `type: task\nname: grouped\nimage: mpi:test\ngroups:\n${group('head', 'sleep 5')}${group('work', `echo head at ${reference}, kept '$${reference}'`)}`;
    await home.ok('apply', '-f', configuration(home, 'grouped.dstack.yml', yaml), '-y', '-d');
    expect((await finished('grouped')).status).toBe('done');
    expect((await lines('grouped', 1)).join()).toContain(
      `head at ${cluster[0]?.address}, kept ${reference}`,
    );
  });

  it('starts nothing if it does not fit, and reports why', async () => {
    await submit(home, 'large', ['echo started'], `${SMALL}nodes: 3\nfleets: [cluster]\n`);
    const run = await finished('large');
    expect(run.status).toBe('failed');
    expect(last(run).map((one) => one?.termination_reason)).toEqual(
      Array(3).fill('failed_to_start_due_to_no_capacity'),
    );
    expect(await home.ok('explain', 'large')).toContain('3 nodes are needed at once');
    for (const job of [0, 1, 2])
      expect((await lines('large', job)).join()).not.toContain('started');
    expect((await fleet()).instances.map(({ status }) => status)).toEqual(['idle', 'idle']);
  });

  it('ends as a whole when one node fails', async () => {
    const script = 'if [ $DSTACK_NODE_RANK = 1 ]; then exit 3; fi; exec sleep 600';
    await submit(home, 'broken', [script], TWO);
    const run = await finished('broken');
    expect(run).toMatchObject({ status: 'failed', termination_reason: 'job_failed' });
    expect(last(run)).toMatchObject([
      { status: 'terminated', termination_reason: 'terminated_by_server' },
      { status: 'failed', termination_reason: 'container_exited_with_error', exit_status: 3 },
    ]);
  });

  const started = async (run: string, job: number) =>
    BigInt(/began at (\d+)/.exec(await logs(run, job))?.[1] ?? 0);

  it.each([
    ['master-first', 0, 1],
    ['workers-first', 1, 0],
  ])('starts its nodes in the order %s', async (order, first, second) => {
    // The busybox of the image has no nanoseconds; both hosts have the same clock.
    const script = `read up idle < /proc/uptime; echo "began at \${up%.*}\${up#*.}"; sleep 1`;
    await submit(home, order, [script], `${TWO}startup_order: ${order}\n`);
    expect((await finished(order)).status).toBe('done');
    expect(await started(order, first)).toBeLessThan(await started(order, second));
  });

  it('waits for all of its nodes, unless only the master counts', async () => {
    const script = 'if [ $DSTACK_NODE_RANK = 1 ]; then sleep 2; echo late; fi';
    await submit(home, 'patient', [script], TWO);
    const run = await finished('patient');
    expect(run.status).toBe('done');
    expect(await lines('patient', 1)).toContain('late');
  });

  it('is retried as a whole, and its nodes reach each other again', async () => {
    const script = [
      `if [ $DSTACK_NODE_RANK = 1 ] && [ ! -e /mark/tried ]; then touch /mark/tried; exit 1; fi`,
      `if [ $DSTACK_NODE_RANK = 0 ] && [ -e /mark/tried ]; then ${LAUNCH}; exit; fi`,
      'touch /mark/tried; exec sleep 600',
    ];
    const more = `${TWO}stop_criteria: master-done\nretry: { on_events: [error], duration: 10m }\nvolumes: ['/var/tmp/mark:/mark']\n`;
    await submit(home, 'again', [script.join('\n')], more);
    const run = await finished('again');
    expect(run.status).toBe('done');
    expect(run.jobs.map((job) => job.job_submissions.length)).toEqual([2, 2]);
    expect(run.jobs.map((job) => job.job_submissions[0]?.termination_reason)).toEqual([
      'terminated_by_server',
      'container_exited_with_error',
    ]);
    expect(await lines('again')).toContain(`rank 1 of 2 on ${cluster[1]?.name}`);
  });

  it('ends as a whole when one of its hosts loses power, and that host then takes the next run', async () => {
    await submit(home, 'powered', ['exec sleep 600'], TWO);
    await whenAllRun('powered');
    await cluster[1]?.crash();
    await cluster[1]?.boot();
    const run = await finished('powered');
    expect(run.status).toBe('failed');
    expect(last(run).map((one) => one?.termination_reason)).toEqual([
      'terminated_by_server',
      'instance_unreachable',
    ]);
    await submit(home, 'next', [MPI_JOB], `${TWO}stop_criteria: master-done\n`);
    expect((await finished('next')).status).toBe('done');
    expect(await lines('next')).toContain(`rank 1 of 2 on ${cluster[1]?.name}`);
  });

  it('lets the user who applies it `ssh` into each node', async () => {
    const yaml = `type: task\nname: applied\ncommands: [exec sleep 600]\nresources:\n  gpu: 0\n${TWO}`;
    const file = configuration(home, 'applied.dstack.yml', yaml);
    const applied = home.spawn(['apply', '-f', file, '-y']);
    let output = '';
    applied.stderr?.on('data', (data) => {
      output += data;
    });
    while (!output.includes('Its other nodes: `ssh applied-1-0`'))
      await once(applied.stderr ?? applied, 'data');
    const config = join(home.home, '.dstack', 'ssh', 'config');
    const words = ['-n', '-F', config, 'applied-1-0', 'echo $DSTACK_NODE_RANK'];
    expect((await run('ssh', words)).stdout).toBe('1\n');
    await home.ok('stop', 'applied', '--abort', '-y');
    await once(applied, 'exit');
    expect(readFileSync(config, 'utf8')).not.toContain('Host applied');
  });

  describe('while it runs', () => {
    beforeAll(async () => {
      await submit(home, 'open', ['echo "here is $DSTACK_NODE_RANK"; exec sleep 600'], TWO);
      await whenAllRun('open');
    });
    afterAll(async () => {
      await home.ok('stop', 'open', '--abort', '-y');
      await finished('open');
    });

    const knock = (address: string | undefined) =>
      `ssh -p 10022 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes root@${address} echo inside`;

    it('lets its own nodes log in to each other', async () => {
      const to = `ssh ${cluster[1]?.address} 'echo "node $DSTACK_NODE_RANK of $DSTACK_RUN_NAME"'`;
      expect(await home.ok('ssh', 'open', '--', to)).toBe('node 1 of open\n');
      const checked = await home.ok('ssh', 'open', '--', 'grep StrictHost ~/.ssh/config');
      expect(checked.trim()).toBe('StrictHostKeyChecking yes');
    });

    it('is attached to as a whole: the output of all nodes, and `ssh` into each', async () => {
      const attached = home.spawn(['attach', 'open', '--logs']);
      const printed = { out: '', err: '' };
      attached.stdout?.on('data', (data) => {
        printed.out += data;
      });
      attached.stderr?.on('data', (data) => {
        printed.err += data;
      });
      const lines = ['job=0 | here is 0', 'job=1 | here is 1'];
      while (!lines.every((line) => printed.out.includes(line)))
        await once(attached.stdout ?? attached, 'data');
      expect(printed.err).toContain('Its other nodes: `ssh open-1-0`');
      const config = join(home.home, '.dstack', 'ssh', 'config');
      for (const [rank, alias] of ['open', 'open-1-0'].entries()) {
        const { stdout } = await run('ssh', ['-n', '-F', config, alias, 'echo $DSTACK_NODE_RANK']);
        expect(stdout).toBe(`${rank}\n`);
      }
      attached.kill('SIGINT');
      await once(attached, 'exit');
      expect(readFileSync(config, 'utf8')).not.toContain('Host open');
      const shown = (await home.ok('logs', 'open', '--all-nodes')).split('\n');
      expect(shown).toEqual(expect.arrayContaining(lines));
    });

    it('is attached to by one of its nodes', async () => {
      const { stdout } = await home.dstack([
        'ssh',
        'open',
        '--job',
        '1',
        '--',
        'echo $DSTACK_NODE_RANK',
      ]);
      expect(stdout).toBe('1\n');
    });

    it('lets no other run log in', async () => {
      const words = `${knock(cluster[0]?.address)} || echo "refused $?"`;
      await submit(home, 'stranger', [words], `${SMALL}fleets: [single]\n`);
      await finished('stranger');
      const output = (await lines('stranger')).join('\n');
      expect(output).toContain('Permission denied (publickey)');
      expect(output).toContain('refused 255');
    });

    it('lets neither its user nor the owner of a host log in by that way', async () => {
      const keys = readdirSync(join(home.home, '.dstack', 'ssh')).filter((name) =>
        /^[0-9a-f]{8}$/.test(name),
      );
      expect(keys).toHaveLength(1);
      for (const key of [join(home.home, '.dstack', 'ssh', keys[0] ?? ''), machines.keyPath]) {
        const [program = '', ...rest] = knock(cluster[0]?.address).split(' ');
        await expect(run(program, ['-F', '/dev/null', '-i', key, ...rest])).rejects.toThrow(
          'Permission denied (publickey)',
        );
      }
    });
  });
});

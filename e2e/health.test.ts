import type { Installation } from '@dstack/testkit';
import { FakeMachine, nvidiaSmi } from '@dstack/testkit/fake-machine';
import { startHosts, type TestHost, type TestHosts } from '@dstack/testkit/hosts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { giveAccelerators, putTool, withNvidiaHook } from './host-kinds.ts';
import {
  afterFailure,
  allIdle,
  applySshFleet,
  IMAGE,
  missingForHosts,
  onFleet,
  untilInstances,
} from './hosts.ts';
import {
  applyFleet,
  configuration,
  dstack,
  isFinished,
  isRunning,
  newInstallation,
  submit,
  untilRun,
} from './installation.ts';
import { until } from './until.ts';

const WORKS = { 'GPU-aa': 'works', 'GPU-bb': 'works' } as const;
const LOST = 'GPU 1 (GPU-bb): GPU is lost; reset the GPU or restart the host';

const OFTEN = {
  DSTACK_AGENT_HEALTH_SECONDS: '1',
  DSTACK_SERVER_INSTANCE_HEALTH_MIN_COLLECT_INTERVAL_SECONDS: '0',
};
const WAITS = 'retry: {on_events: [no-capacity], duration: 1h}\n';

interface Explained {
  readonly state: string;
  readonly waiting_for: string | null;
  readonly reasons: readonly { readonly rule: string; readonly has: string | null }[];
  readonly summary: string;
}

describe.skipIf(missingForHosts() !== null)('a host whose GPU is lost', () => {
  let machines: TestHosts;
  let host: TestHost;
  let home: Installation;
  beforeAll(async () => {
    machines = await startHosts({ count: 1 });
    host = machines.hosts[0] as TestHost;
    await machines.busybox(IMAGE);
    await giveAccelerators(host, { devices: ['nvidiactl', 'nvidia0', 'nvidia1'] });
    await putTool(host, 'nvidia-smi', nvidiaSmi(WORKS));
    await withNvidiaHook(host);
    home = newInstallation(OFTEN);
    await home.startServer();
    const often = 'env:\n  DSTACK_AGENT_HEALTH_SECONDS: "1"\n';
    await applySshFleet(home, machines, 'pool', [host], 2, often);
    await untilInstances(home, 'pool', allIdle);
  }, 120_000);
  afterEach(({ task }) => afterFailure(task, home, machines.hosts));
  afterAll(async () => {
    await home?.dispose();
    machines?.close();
  });

  const healthIs = (health: string) =>
    untilInstances(home, 'pool', (all) => all.every((one) => one.health_status === health));
  const explain = async (...subject: string[]): Promise<Explained> =>
    JSON.parse(await home.ok('explain', ...subject, '--json'));

  /** A task on one GPU, which is half of the host. */
  async function start(name: string, command: string, more = ''): Promise<void> {
    const head = `type: task\nname: ${name}\ncommands: ["${command}"]\nresources:\n  gpu: 1\n`;
    const file = configuration(home, `${name}.dstack.yml`, head + onFleet('pool') + more);
    await home.ok('apply', '-f', file, '-y', '-d');
  }

  it('gets no jobs until it is repaired, explain reports that, and its jobs go on', async () => {
    await start('before', 'sleep 100000');
    await untilRun(home, 'before', isRunning);
    await putTool(host, 'nvidia-smi', nvidiaSmi({ ...WORKS, 'GPU-bb': 'lost' }));
    await healthIs('failure');

    expect(await home.ok('fleet', '-v')).toContain('(failure)');
    expect(await home.ok('fleet', '-v')).toContain(`gpu: ${LOST}`);
    const events = await home.api<{ message: string }[]>('/api/events/list', {});
    const changes = events.map(({ message }) => message).filter((text) => /health/.test(text));
    expect(changes).toEqual([`Instance health changed HEALTHY -> FAILURE (gpu: ${LOST})`]);
    const { health_checks } = await home.api<{ health_checks: { status: string }[] }>(
      '/api/project/main/instances/get_instance_health_checks',
      { fleet_name: 'pool', instance_num: 0 },
    );
    expect(health_checks[0]).toMatchObject({
      status: 'failure',
      events: [{ status: 'failure', message: `gpu: ${LOST}` }],
    });

    await start('during', 'echo works again', WAITS);
    let run = await explain('during');
    while (run.waiting_for !== 'unhealthy') run = await explain('during');
    expect(run.reasons[0]).toMatchObject({ rule: 'unhealthy', has: `gpu: ${LOST}` });
    expect(await explain('instance', 'pool-0')).toMatchObject({
      state: 'degraded',
      reasons: [{ rule: 'unhealthy', has: `gpu: ${LOST}` }, { rule: 'busy' }],
    });
    expect(await untilRun(home, 'before', () => true)).toMatchObject({ status: 'running' });

    await putTool(host, 'nvidia-smi', nvidiaSmi(WORKS));
    await healthIs('healthy');
    expect(await untilRun(home, 'during', isFinished)).toMatchObject({ status: 'done' });
    expect(await home.ok('logs', 'during')).toContain('works again');
    await home.ok('stop', 'before', '-y', '--abort');
    await untilRun(home, 'before', isFinished);
  });
});

describe.skipIf(process.getuid?.() !== 0)('a server whose host loses a GPU', () => {
  let machine: FakeMachine;
  let home: Installation;
  beforeAll(async () => {
    machine = new FakeMachine(['nvidiactl'], { 'nvidia-smi': nvidiaSmi(WORKS) });
    home = newInstallation(OFTEN, machine.wrap(dstack));
    await home.startServer();
    await applyFleet(home, '0..3');
  });
  afterAll(async () => {
    await home?.dispose();
    machine?.remove();
  });

  it('makes no new instances there until it is repaired', async () => {
    await submit(home, 'before', ['sleep 100000']);
    await untilRun(home, 'before', isRunning);
    machine.tool('nvidia-smi', nvidiaSmi({ ...WORKS, 'GPU-bb': 'lost' }));
    await untilInstances(home, 'default', ([one]) => one?.health_status === 'failure');
    await submit(home, 'during', ['echo works again'], WAITS);
    const why = `fails its health checks (gpu: ${LOST})`;
    await until(async () => (await home.ok('explain', 'during')).includes(why));
    machine.tool('nvidia-smi', nvidiaSmi(WORKS));
    expect(await untilRun(home, 'during', isFinished)).toMatchObject({ status: 'done' });
  });
});

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type CloudAccountAtWork,
  type CloudYard,
  missingForClouds,
  newCloudAccount,
  onLaunch,
  QUICK,
  startCloudYard,
} from './cloud-account.ts';
import { onFleet } from './hosts.ts';
import { isFinished, isRunning, submit, untilRun } from './installation.ts';
import { applyCloudFleet, instancesOf, leftOver } from './sim-cloud.ts';
import { until } from './until.ts';

const missing = missingForClouds();

describe.skipIf(missing !== null)('machines of Lambda', { timeout: 180_000 }, () => {
  let hosts: CloudYard;
  let world: CloudAccountAtWork;
  beforeAll(async () => {
    hosts = await startCloudYard();
  });
  afterAll(async () => await hosts?.[Symbol.asyncDispose]());
  beforeEach(async () => {
    world = await newCloudAccount('lambda', hosts);
    await world.home.startServer();
  });
  afterEach(async () => await world[Symbol.asyncDispose]());

  const fleet = (more: readonly string[] = []) =>
    applyCloudFleet(world.home, [
      'nodes: 0..1',
      'backends: [lambda]',
      'idle_duration: 3s',
      ...more,
    ]);
  const start = (name: string, commands: readonly string[]) =>
    submit(world.home, name, commands, onFleet('pool', hosts.image));
  const allEnded = async () => {
    const { home, cloud } = world;
    await until(async () => (await instancesOf(home)).length === 0 && cloud.vms() === 0);
    expect(leftOver(cloud.history())).toEqual([]);
  };

  it('are offered with live prices and availability', async () => {
    const { home, cloud } = world;
    cloud.sellOut('gpu_1x_a10', 'us-east-1');
    const offers = await home.ok('offer', '--gpu', 'A10', '--backend', 'lambda');
    expect(offers).toMatch(/lambda \(us-west-1\) .*gpu_1x_a10 +\$0\.75$/m);
    expect(offers).toMatch(/lambda \(us-east-1\) .*\$0\.75 +not available/);
    const { stdout } = await home.dstack(['backend', 'check', 'lambda']);
    expect(stdout).toMatch(/lambda +ok/);
  });

  it('run a task from apply to its logs, serve the next one, and end when they are idle', async () => {
    const { home, cloud } = world;
    await fleet();
    await start('first', ['echo hello from Lambda', 'cat /etc/hostname']);
    const run = await untilRun(home, 'first', isFinished);
    expect(run.status).toBe('done');
    expect(await home.ok('logs', 'first')).toContain('hello from Lambda');
    const [vm] = cloud.account.vms.all();
    const [shown] = await instancesOf(home);
    expect(shown).toMatchObject({ status: 'idle', hostname: vm?.address, price: 0.1 });
    await start('second', ['echo again']);
    expect((await untilRun(home, 'second', isFinished)).status).toBe('done');
    expect(cloud.history()).toEqual([`+${vm?.id}`]);
    await allEnded();
  });

  it('that are sold out since they were offered give way to the next offer', async () => {
    const { home, cloud } = world;
    await fleet();
    await home.ok('offer', '--backend', 'lambda');
    cloud.sellOut('cpu_4x_general', 'us-east-1');
    await start('next', ['echo elsewhere']);
    expect((await untilRun(home, 'next', isFinished)).status).toBe('done');
    const launches = cloud.log.filter(({ path }) => path.endsWith('/launch'));
    expect(launches.map(({ status }) => status)).toEqual([400, 200]);
    expect((await instancesOf(home))[0]).toMatchObject({ region: 'us-west-1', price: 0.1 });
    await allEnded();
  });

  describe('survive kill -9 of the server, one for each order and none left,', () => {
    /** Kills the server at a moment of the order, and heals the account. */
    async function killedWhen(is: () => boolean | Promise<boolean>): Promise<void> {
      const { home, cloud } = world;
      await until(is);
      await home.stopServer('SIGKILL');
      cloud.faults.set(QUICK);
      await home.startServer();
    }
    it.each([
      [
        'before the launch',
        () => {
          const before = world.cloud.log.length;
          world.cloud.faults.set({ ...QUICK, hold: 'request' });
          return () => world.cloud.log.length >= before;
        },
      ],
      [
        'between the launch and its answer',
        () => {
          onLaunch(world.cloud, () => world.cloud.faults.set({ ...QUICK, hold: 'answer' }));
          return () => world.cloud.vms() > 0;
        },
      ],
      [
        'while the machine boots',
        () => {
          world.cloud.faults.set({ boot_seconds: [30, 30] });
          return async () => (await world.home.ok('fleet')).includes('booting');
        },
      ],
      [
        'while the agent is installed',
        () => async () => /Copying|Starting the agent|Checking/.test(await world.home.ok('fleet')),
      ],
      [
        'while the job runs',
        () => async () => isRunning(await untilRun(world.home, 'survivor', () => true)),
      ],
    ] satisfies [string, () => () => boolean | Promise<boolean>][])('%s', async (_, prepare) => {
      const { home, cloud } = world;
      await fleet();
      const is = prepare();
      await start('survivor', ['sleep 3', 'echo survived']);
      await killedWhen(is);
      expect((await untilRun(home, 'survivor', isFinished)).status).toBe('done');
      expect(await home.ok('logs', 'survivor')).toContain('survived');
      await allEnded();
      expect(cloud.history()).toHaveLength(2);
    });

    it('while the machine ends', async () => {
      const { home, cloud } = world;
      await fleet();
      await start('short', ['true']);
      await untilRun(home, 'short', isFinished);
      cloud.faults.set({ ...QUICK, delete_seconds: 5 });
      await killedWhen(() => cloud.account.vms.all().some(({ state }) => state === 'ending'));
      await allEnded();
    });
  });
});

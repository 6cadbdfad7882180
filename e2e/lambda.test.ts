import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type CloudAccountAtWork,
  type CloudYard,
  missingForClouds,
  newCloudAccount,
  startCloudYard,
} from './cloud-account.ts';
import { onFleet } from './hosts.ts';
import { isFinished, isRunning, submit, untilRun } from './installation.ts';
import { applyCloudFleet, instancesOf, leftOver } from './sim-cloud.ts';
import { until } from './until.ts';

const missing = missingForClouds();

/**
 * One server and one account for both stories. Each fault at each step of a machine's life is in the table of
 * `packages/server/src/testing/clouds`, where nothing has to boot.
 */
describe.skipIf(missing !== null)('machines of Lambda', { timeout: 180_000 }, () => {
  let hosts: CloudYard;
  let world: CloudAccountAtWork;
  beforeAll(async () => {
    hosts = await startCloudYard();
    world = await newCloudAccount('lambda', hosts);
    await world.home.startServer();
    await applyCloudFleet(world.home, ['nodes: 0..1', 'backends: [lambda]', 'idle_duration: 10s']);
  });
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
    await hosts?.[Symbol.asyncDispose]();
  });

  const start = (name: string, commands: readonly string[]) =>
    submit(world.home, name, commands, onFleet('pool', hosts.image));
  const done = async (name: string) =>
    expect((await untilRun(world.home, name, isFinished)).status).toBe('done');
  /** Each machine was made once and has ended. */
  async function allEnded(): Promise<void> {
    const { home, cloud } = world;
    await until(async () => (await instancesOf(home)).length === 0 && cloud.vms() === 0);
    expect(leftOver(cloud.history())).toEqual([]);
  }

  it('are offered, give way where they are sold out, run one task after another, and end when idle', async () => {
    const { home, cloud } = world;
    const offers = await home.ok('offer', '--cpu', '4', '--backend', 'lambda');
    expect(offers).toMatch(/lambda \(us-east-1\) .*cpu_4x_general +\$0\.1$/m);
    // Since it was offered.
    cloud.sellOut('cpu_4x_general', 'us-east-1');
    await start('first', ['echo hello from Lambda', 'cat /etc/hostname']);
    await done('first');
    await start('second', ['echo again']);
    expect(await home.ok('logs', 'first')).toContain('hello from Lambda');
    const launches = cloud.log.filter(({ path }) => path.endsWith('/launch'));
    expect(launches.map(({ status }) => status)).toEqual([400, 200]);
    const [vm] = cloud.account.vms.all();
    const [shown] = await instancesOf(home);
    expect(shown).toMatchObject({ region: 'us-west-1', hostname: vm?.address, price: 0.1 });
    await done('second');
    expect(cloud.history()).toEqual([`+${vm?.id}`]);
    await allEnded();
  });

  it('survive kill -9 of the server while the agent is installed, and while the job runs', async () => {
    const { home, cloud } = world;
    const before = cloud.history().length;
    await start('survivor', ['sleep 6', 'echo survived']);
    await until(() => hosts.yard.ids.length > 0);
    const [vm = ''] = hosts.yard.ids;
    // The copy may be complete before the test looks: what follows holds in both cases.
    const copies = 'find /opt/dstack -mindepth 1 -maxdepth 1 2>/dev/null; true';
    await until(async () => (await hosts.yard.exec(vm, copies)) !== '');
    await home.stopServer('SIGKILL');
    await home.startServer();
    await untilRun(home, 'survivor', isRunning);
    await home.stopServer('SIGKILL');
    await home.startServer();
    await done('survivor');
    expect(await home.ok('logs', 'survivor')).toContain('survived');
    await allEnded();
    expect(cloud.history()).toHaveLength(before + 2);
  });
});

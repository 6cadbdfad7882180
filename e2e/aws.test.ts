import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AwsAccountAtWork, motoForClouds, newAwsAccount } from './aws-account.ts';
import { type CloudYard, missingForClouds, startCloudYard } from './cloud-account.ts';
import { onFleet } from './hosts.ts';
import { isFinished, isRunning, submit, untilRun } from './installation.ts';
import { applyCloudFleet, instancesOf, leftOver } from './sim-cloud.ts';
import { until } from './until.ts';

const missing = missingForClouds();
const moto = missing === null ? motoForClouds() : null;

describe.skipIf(moto === null)('machines of AWS', { timeout: 180_000 }, () => {
  let hosts: CloudYard;
  let world: AwsAccountAtWork;
  beforeAll(async () => {
    hosts = await startCloudYard();
    world = await newAwsAccount(moto ?? '', hosts);
    await world.home.startServer();
    await applyCloudFleet(world.home, ['nodes: 0..1', 'backends: [aws]', 'idle_duration: 3s']);
  });
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
    await hosts?.[Symbol.asyncDispose]();
  });

  it('are offered, taken in another zone where one is sold out, run a task through a kill -9 of the server, and end', async () => {
    const { home, aws } = world;
    const offers = await home.ok('offer', '--cpu', '2', '--memory', '2GB..', '--backend', 'aws');
    expect(offers).toMatch(/aws \(us-east-1\) .*t3\.small +\$0\.0208$/m);
    aws.sellOut('t3.small', 'us-east-1a');
    const commands = ['cat /etc/hostname', 'sleep 5', 'echo hello from EC2'];
    await submit(home, 'first', commands, onFleet('pool', hosts.image));
    await until(() => hosts.yard.ids.length > 0);
    const [vm = ''] = hosts.yard.ids;
    // The copy may be complete before the test looks: what follows holds in both cases.
    const copies = 'find /opt/dstack -mindepth 1 -maxdepth 1 2>/dev/null; true';
    await until(async () => (await hosts.yard.exec(vm, copies)) !== '');
    await home.stopServer('SIGKILL');
    await home.startServer();
    await untilRun(home, 'first', isRunning);
    const [shown] = await instancesOf(home);
    expect(shown).toMatchObject({ region: 'us-east-1', price: 0.0208 });
    await home.stopServer('SIGKILL');
    await home.startServer();
    expect((await untilRun(home, 'first', isFinished)).status).toBe('done');
    expect(await home.ok('logs', 'first')).toContain('hello from EC2');
    const orders = aws.log.filter(({ action }) => action === 'RunInstances');
    expect(orders.map(({ status }) => status)).toEqual([500, 200]);
    await until(async () => (await instancesOf(home)).length === 0 && aws.vms().length === 0);
    expect(leftOver(aws.history())).toEqual([]);
  });
});

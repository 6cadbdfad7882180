import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AwsAccountAtWork, motoForClouds, newAwsAccount } from './aws-account.ts';
import { type CloudYard, missingForClouds, startCloudYard } from './cloud-account.ts';
import { applyCloudFleet, instancesOf } from './sim-cloud.ts';
import { until } from './until.ts';

const missing = missingForClouds();
const moto = missing === null ? motoForClouds() : null;
/** The shortest lease that a server accepts. */
const LEASE_SECONDS = 60;
const FILE = '/var/lib/dstack/lease.json';

describe.skipIf(moto === null)('a machine of AWS without its server', { timeout: 420_000 }, () => {
  let hosts: CloudYard;
  let world: AwsAccountAtWork;
  beforeAll(async () => {
    hosts = await startCloudYard();
    world = await newAwsAccount(moto ?? '', hosts, [], {
      DSTACK_AGENT_LEASE: `${LEASE_SECONDS}s`,
    });
    await world.home.startServer();
    await applyCloudFleet(world.home, ['nodes: 1..1', 'backends: [aws]', 'idle_duration: off']);
  });
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
    await hosts?.[Symbol.asyncDispose]();
  });

  it('outlives a restart of the server, ends when no server comes back, and is replaced when one does', async () => {
    const { home, aws } = world;
    await until(async () => (await instancesOf(home)).some(({ status }) => status === 'idle'));
    const [vm = ''] = hosts.yard.ids;
    const lease = async () => JSON.parse(await hosts.yard.exec(vm, `cat ${FILE} || echo '{}'`));
    await until(async () => (await lease()).seconds === LEASE_SECONDS);
    expect(await lease()).toMatchObject({ ending: 'poweroff' });
    await home.stopServer('SIGKILL');
    await home.startServer();
    await until(async () => (await instancesOf(home)).some(({ status }) => status === 'idle'));
    expect(aws.vms()).toEqual([vm]);
    await home.stopServer('SIGKILL');
    await until(() => aws.vms().length === 0);
    expect(aws.history()).toEqual([`+${vm}`, `-${vm}`]);
    await home.startServer();
    await until(() => aws.vms().length === 1);
    expect(aws.vms()).not.toEqual([vm]);
  });
});

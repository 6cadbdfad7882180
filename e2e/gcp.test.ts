import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type CloudYard,
  missingForClouds,
  newCloudAccount,
  startCloudYard,
} from './cloud-account.ts';
import { onFleet } from './hosts.ts';
import { isFinished, submit, untilRun } from './installation.ts';
import { applyCloudFleet, instancesOf, leftOver } from './sim-cloud.ts';
import { until } from './until.ts';

const missing = missingForClouds();

describe.skipIf(missing !== null)('machines of GCP', { timeout: 180_000 }, () => {
  let hosts: CloudYard;
  beforeAll(async () => {
    hosts = await startCloudYard();
  });
  afterAll(async () => await hosts?.[Symbol.asyncDispose]());

  it('run a task from apply to its logs in a zone that has one, and end when they are idle', async () => {
    await using world = await newCloudAccount('gcp', hosts);
    const { home, cloud } = world;
    await home.startServer();
    await applyCloudFleet(home, ['nodes: 0..1', 'backends: [gcp]', 'idle_duration: 3s']);
    const offers = await home.ok('offer', '--cpu', '2', '--backend', 'gcp', '--on-demand');
    expect(offers).toMatch(/gcp \(us-central1\) .*e2-medium +/);
    cloud.sellOut('e2-medium', 'us-central1-a');
    await submit(home, 'first', ['echo hello from GCP'], onFleet('pool', hosts.image));
    expect((await untilRun(home, 'first', isFinished)).status).toBe('done');
    expect(await home.ok('logs', 'first')).toContain('hello from GCP');
    const orders = cloud.log.filter(({ path }) => /\/instances\?requestId=/.test(path));
    expect(orders.map(({ path }) => /zones\/([^/]*)/.exec(path)?.[1])).toEqual([
      'us-central1-a',
      'us-central1-b',
    ]);
    await until(async () => (await instancesOf(home)).length === 0 && cloud.vms() === 0);
    expect(leftOver(cloud.history())).toEqual([]);
  });
});

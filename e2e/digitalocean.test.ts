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

describe.skipIf(missing !== null)('machines of DigitalOcean', { timeout: 180_000 }, () => {
  let hosts: CloudYard;
  beforeAll(async () => {
    hosts = await startCloudYard();
  });
  afterAll(async () => await hosts?.[Symbol.asyncDispose]());

  it('run a task from apply to its logs, and end when they are idle', async () => {
    await using world = await newCloudAccount('digitalocean', hosts);
    const { home, cloud } = world;
    await home.startServer();
    await applyCloudFleet(home, ['nodes: 0..1', 'backends: [digitalocean]', 'idle_duration: 3s']);
    await submit(home, 'first', ['echo hello from a droplet'], onFleet('pool', hosts.image));
    expect((await untilRun(home, 'first', isFinished)).status).toBe('done');
    expect(await home.ok('logs', 'first')).toContain('hello from a droplet');
    await until(async () => (await instancesOf(home)).length === 0 && cloud.vms() === 0);
    expect(leftOver(cloud.history())).toEqual([]);
  });
});

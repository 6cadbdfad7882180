import { randomBytes } from 'node:crypto';
import type { Installation } from '@dstack/testkit';
import { startHosts, type TestHost, type TestHosts } from '@dstack/testkit/hosts';
import { layerOf, TestRegistry } from '@dstack/testkit/registry';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { allIdle, applySshFleet, missingForHosts, onFleet, untilInstances } from './hosts.ts';
import { isFinished, newInstallation, submit, untilRun } from './installation.ts';

const missing = missingForHosts();

describe.skipIf(missing !== null)('images of an SSH fleet', () => {
  let machines: TestHosts;
  let hosts: readonly TestHost[];
  let registry: TestRegistry;
  let home: Installation;
  let image: string;
  beforeAll(async () => {
    machines = await startHosts({ count: 2 });
    hosts = machines.hosts;
    registry = await TestRegistry.start({ access: 'bearer' });
    image = `${machines.gateway}:${registry.port}/team/tool:1`;
    const layers = [machines.busyboxTar(), layerOf('data', randomBytes(3_000_000))];
    registry.add('team/tool:1', { layers });
    home = newInstallation();
    await home.startServer();
    await applySshFleet(home, machines, 'pool', hosts);
    await untilInstances(home, 'pool', allIdle);
  });
  afterAll(async () => {
    await home?.dispose();
    await registry?.close();
    machines?.close();
  });

  const has = async ({ docker }: TestHost) =>
    (await docker.listImages()).some(({ RepoTags }) => RepoTags?.includes(image));

  it('are pulled with the credentials of a run, and `ps` shows the progress', async () => {
    await home.ok('secret', 'set', 'registry_password', 'secret');
    registry.hold(true);
    const auth = 'registry_auth: {username: user, password: "${{ secrets.registry_password }}"}\n';
    await submit(home, 'pulled', ['echo "from the registry"'], `${onFleet('pool', image)}${auth}`);
    await vi.waitUntil(async () => /pulling \d+\/[1-9]\d*\/≥?\d+MB/.test(await home.ok('ps')), {
      timeout: 30_000,
    });
    registry.hold(false);
    expect(await untilRun(home, 'pulled', isFinished)).toMatchObject({ status: 'done' });
    expect(await home.ok('logs', 'pulled')).toContain('from the registry');
  });

  it('are prefetched by the other hosts before the next run', async () => {
    expect((await Promise.all(hosts.map(has))).filter((each) => each)).toHaveLength(1);
    // The server sends the list of images when it links a host.
    await home.stopServer();
    await home.startServer();
    await vi.waitUntil(async () => (await Promise.all(hosts.map(has))).every((each) => each), {
      timeout: 30_000,
    });
  });
});

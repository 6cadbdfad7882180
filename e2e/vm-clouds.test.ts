import type { Yard } from '@dstack/testkit/cloud';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type CloudYard,
  missingForClouds,
  newCloudAccount,
  startCloudYard,
} from './cloud-account.ts';
import { giveAccelerators } from './host-kinds.ts';
import { onFleet } from './hosts.ts';
import { configuration, isFinished, submit, untilRun } from './installation.ts';
import { applyCloudFleet, instancesOf, leftOver } from './sim-cloud.ts';
import { until } from './until.ts';

const missing = missingForClouds();
/** Machines of Verda boot like those of Crusoe; their story takes a minute and more, and is for `scripts/test --clouds`. */
const SCRIPTED =
  process.env.DSTACK_TEST_CLOUDS_TABLE === 'all'
    ? (['crusoe', 'verda'] as const)
    : (['crusoe'] as const);

describe.skipIf(missing !== null)('machines of clouds', { timeout: 180_000 }, () => {
  let hosts: CloudYard;
  beforeAll(async () => {
    hosts = await startCloudYard();
  });
  afterAll(async () => await hosts?.[Symbol.asyncDispose]());

  it.each([...SCRIPTED, 'digitalocean', 'vultr'] as const)(
    'at %s run a task from apply to its logs, and end when they are idle',
    async (type) => {
      await using world = await newCloudAccount(type, hosts);
      const { home, cloud } = world;
      await home.startServer();
      await applyCloudFleet(home, ['nodes: 0..1', `backends: [${type}]`, 'idle_duration: 3s']);
      await submit(home, 'first', ['echo hello from a machine'], onFleet('pool', hosts.image));
      expect((await untilRun(home, 'first', isFinished)).status).toBe('done');
      expect(await home.ok('logs', 'first')).toContain('hello from a machine');
      await until(async () => (await instancesOf(home)).length === 0 && cloud.vms() === 0);
      expect(leftOver(cloud.history())).toEqual([]);
    },
  );

  it.each(['amddevcloud', 'hotaisle'] as const)(
    'at %s run a task on a GPU of AMD, and end when they are idle',
    async (type) => {
      await using world = await newCloudAccount(type, withGpus(hosts));
      const { home, cloud } = world;
      await home.startServer();
      await applyCloudFleet(home, ['nodes: 0..1', `backends: [${type}]`, 'idle_duration: 3s']);
      const commands = JSON.stringify(['ls /dev/kfd /dev/dri', 'echo hello from AMD']);
      const yaml = `type: task\nname: first\ncommands: ${commands}\nimage: ${hosts.image}\nfleets: [pool]\n`;
      const resources = 'resources: {cpu: 1.., memory: 1GB.., disk: 1GB.., gpu: "MI300X:1"}\n';
      const file = configuration(home, 'first.dstack.yml', yaml + resources);
      await home.ok('apply', '-f', file, '-y', '-d');
      const run = await untilRun(home, 'first', isFinished);
      const output = await home.ok('logs', 'first');
      expect([run.status, output]).toEqual(['done', expect.stringContaining('hello from AMD')]);
      expect(output).toMatch(/\/dev\/kfd\s+\/dev\/dri:\s+renderD128\s/);
      await until(async () => (await instancesOf(home)).length === 0 && cloud.vms() === 0);
      expect(leftOver(cloud.history())).toEqual([]);
    },
  );
});

/** The same yard, whose hosts have a GPU of AMD, which this computer lacks, before anything reaches them. */
function withGpus({ yard, ...rest }: CloudYard): CloudYard {
  const card = {
    asic: { market_name: 'AMD Instinct MI300X' },
    vram: { size: { value: 196592 } },
    bus: { bdf: '0000:05:00.0' },
    driver: { version: '6.8' },
  };
  const equipped: Yard = {
    gateway: yard.gateway,
    dir: yard.dir,
    ids: [],
    boot: async (order) => {
      const address = await yard.boot(order);
      const host = { exec: (command: string) => yard.exec(order.id, command) };
      await giveAccelerators(host, {
        devices: ['kfd', 'dri/renderD128'],
        links: { 'dri/by-path/pci-0000:05:00.0-render': '../renderD128' },
        ...{ tool: 'amd-smi', prints: JSON.stringify([card]) },
      });
      return address;
    },
    end: (id) => yard.end(id),
    reboot: (id) => yard.reboot(id),
    exec: (id, command) => yard.exec(id, command),
    hostKey: (id) => yard.hostKey(id),
    numberOf: (id) => yard.numberOf(id),
    close: () => yard.close(),
  };
  return { ...rest, yard: equipped };
}

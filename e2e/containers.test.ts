import { mkdirSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { type Cloud, type Pods, startCloud, startPods } from '@dstack/testkit/cloud';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CloudYard, missingForClouds, QUICK, startCloudYard } from './cloud-account.ts';
import {
  configuration,
  dstack,
  isFinished,
  isRunning,
  newInstallation,
  untilRun,
} from './installation.ts';
import { freePort } from './serving.ts';
import { leftOver } from './sim-cloud.ts';
import { Terminal } from './terminal.ts';
import { until } from './until.ts';

const missing = missingForClouds();

const TYPES = ['runpod', 'vastai'] as const;
type CloudType = (typeof TYPES)[number];

/**
 * One server with an account at each provider for all stories: their containers are those of a Docker daemon, and reach the
 * server by its URL.
 */
describe.skipIf(missing !== null)('containers of clouds', { timeout: 180_000 }, () => {
  let yard: CloudYard;
  let pods: Pods;
  let clouds: Readonly<Record<CloudType, Cloud>>;
  let home: Installation;
  let front: Server;
  let port: number;
  beforeAll(async () => {
    yard = await startCloudYard();
    pods = await startPods(yard.yard);
    const start = (personality: CloudType) =>
      startCloud({ personality, hosts: pods, faults: QUICK });
    clouds = { runpod: await start('runpod'), vastai: await start('vastai') };
    port = await freePort();
    front = await startFront(yard.yard.gateway, port);
    home = newInstallation({
      DSTACK_LOCAL_PROJECTS: 'none',
      DSTACK_BACKEND_RUNPOD_ENDPOINT: clouds.runpod.url,
      DSTACK_BACKEND_VASTAI_ENDPOINT: clouds.vastai.url,
      DSTACK_SERVER_URL: `http://${yard.yard.gateway}:${port}`,
      DSTACK_SERVER_SSH_PORT: String(await freePort()),
      DSTACK_SERVER_SSH_HOST: '127.0.0.1',
    });
    mkdirSync(home.serverDir, { recursive: true });
    const backends = TYPES.map(
      (type) => `  - {type: ${type}, creds: {type: api_key, api_key: ${clouds[type].apiKey}}}\n`,
    );
    const yaml = `projects:\n- name: main\n  backends:\n${backends.join('')}`;
    writeFileSync(join(home.serverDir, 'config.yml'), yaml, { mode: 0o600 });
    await startServer();
    for (const type of TYPES) {
      const fleet = `type: fleet\nname: ${type}\nnodes: 0..4\nbackends: [${type}]\n`;
      await home.ok('apply', '-f', configuration(home, `${type}.dstack.yml`, fleet), '-y', '-d');
    }
  });
  afterAll(async () => {
    await home?.dispose();
    front?.close();
    for (const type of TYPES) await clouds?.[type].close();
    await pods?.close();
    await yard?.[Symbol.asyncDispose]();
  });

  const startServer = () => home.startServer('--port', String(port));

  async function start(
    type: CloudType,
    name: string,
    commands: readonly string[],
    more = '',
  ): Promise<void> {
    const yaml = [
      ...['type: task', `name: ${name}`, `image: ${yard.image}`, `fleets: [${type}]`],
      `commands: ${JSON.stringify(commands)}`,
      'resources: {cpu: 2.., memory: 1GB.., disk: 1GB..}',
      more,
    ].join('\n');
    await home.ok('apply', '-f', configuration(home, `${name}.dstack.yml`, yaml), '-y', '-d');
  }

  /** `made`: containers since `before`. */
  async function allEnded(type: CloudType, before: number, made = 1): Promise<void> {
    const { vms, history } = clouds[type];
    await until(async () => vms() === 0);
    expect(leftOver(history())).toEqual([]);
    expect(history()).toHaveLength(before + 2 * made);
  }

  it('run tasks from apply to their logs, without anything of them in what providers see', async () => {
    const commands = ['echo hello from $IN', 'echo "secret is $PASSPHRASE"', 'env'];
    const before = TYPES.map((type) => clouds[type].history().length);
    for (const type of TYPES) {
      await start(type, `first-${type}`, commands, `env: [PASSPHRASE=hunter2, IN=${type}]`);
    }
    for (const [index, type] of TYPES.entries()) {
      expect((await untilRun(home, `first-${type}`, isFinished)).status).toBe('done');
      const logs = await home.ok('logs', `first-${type}`);
      expect(logs).toContain(`hello from ${type}`);
      expect(logs).toContain('secret is hunter2');
      expect(logs).not.toMatch(/DSTACK_(AGENT_(TOKEN|URL|SHA256)|TAGS)/);
      expect(JSON.stringify(clouds[type].log)).not.toContain('hunter2');
      await allEnded(type, before[index] ?? 0);
    }
  });

  it('are entered by ssh and a forwarded port through the server, and end when the run is stopped', async () => {
    const before = clouds.runpod.history().length;
    const commands = ['echo page > /tmp/index.html', 'httpd -f -p 127.0.0.1:8080 -h /tmp'];
    await start('runpod', 'serving', commands, 'ports: [8080]');
    await untilRun(home, 'serving', isRunning);
    const attached = new Terminal(home, ['attach', 'serving'], dstack);
    const [, local] = await attached.until(/localhost:(\d+) -> 8080/);
    expect(await (await fetch(`http://localhost:${local}/index.html`)).text()).toBe('page\n');
    attached.pressCtrlC();
    await attached.end();
    const shell = await home.dstack(['ssh', 'serving', '--', 'echo "in $DSTACK_RUN_NAME"; exit 5']);
    expect([shell.code, shell.stdout]).toEqual([5, expect.stringContaining('in serving')]);
    await home.ok('stop', 'serving', '-y');
    await untilRun(home, 'serving', isFinished);
    await allEnded('runpod', before);
  });

  it('survive kill -9 of the server while the agent is fetched, and while the job runs', async () => {
    const before = TYPES.map((type) => clouds[type].history().length);
    for (const type of TYPES) await start(type, `survivor-${type}`, ['sleep 6', 'echo survived']);
    await until(async () =>
      TYPES.every((type, index) => clouds[type].history().length > (before[index] ?? 0)),
    );
    await home.stopServer('SIGKILL');
    await startServer();
    for (const type of TYPES) await untilRun(home, `survivor-${type}`, isRunning);
    await home.stopServer('SIGKILL');
    await startServer();
    for (const [index, type] of TYPES.entries()) {
      expect((await untilRun(home, `survivor-${type}`, isFinished)).status).toBe('done');
      expect(await home.ok('logs', `survivor-${type}`)).toContain('survived');
      await allEnded(type, before[index] ?? 0);
    }
  });
});

/** The address of the server for containers: what is in front of it in the network of a company. */
async function startFront(host: string, port: number): Promise<Server> {
  const server = createServer((socket) => {
    const inner = connect(port, '127.0.0.1');
    socket.on('error', () => inner.destroy()).pipe(inner);
    inner.on('error', () => socket.destroy()).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  return server;
}

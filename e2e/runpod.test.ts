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

/** One server and one account for all stories: pods are containers of a Docker daemon, and reach the server by its URL. */
describe.skipIf(missing !== null)('pods of RunPod', { timeout: 180_000 }, () => {
  let yard: CloudYard;
  let pods: Pods;
  let cloud: Cloud;
  let home: Installation;
  let front: Server;
  let port: number;
  beforeAll(async () => {
    yard = await startCloudYard();
    pods = await startPods(yard.yard);
    cloud = await startCloud({ personality: 'runpod', hosts: pods, faults: QUICK });
    port = await freePort();
    front = await startFront(yard.yard.gateway, port);
    home = newInstallation({
      DSTACK_LOCAL_PROJECTS: 'none',
      DSTACK_BACKEND_RUNPOD_ENDPOINT: cloud.url,
      DSTACK_SERVER_URL: `http://${yard.yard.gateway}:${port}`,
      DSTACK_SERVER_SSH_PORT: String(await freePort()),
      DSTACK_SERVER_SSH_HOST: '127.0.0.1',
    });
    mkdirSync(home.serverDir, { recursive: true });
    const backend = `{type: runpod, creds: {type: api_key, api_key: ${cloud.apiKey}}}`;
    const yaml = `projects:\n- name: main\n  backends:\n  - ${backend}\n`;
    writeFileSync(join(home.serverDir, 'config.yml'), yaml, { mode: 0o600 });
    await startServer();
    const fleet = 'type: fleet\nname: pool\nnodes: 0..4\nbackends: [runpod]\n';
    await home.ok('apply', '-f', configuration(home, 'pool.dstack.yml', fleet), '-y', '-d');
  });
  afterAll(async () => {
    await home?.dispose();
    front?.close();
    await cloud?.close();
    await pods?.close();
    await yard?.[Symbol.asyncDispose]();
  });

  const startServer = () => home.startServer('--port', String(port));

  async function start(name: string, commands: readonly string[], more = ''): Promise<void> {
    const yaml = [
      ...['type: task', `name: ${name}`, `image: ${yard.image}`, 'fleets: [pool]'],
      `commands: ${JSON.stringify(commands)}`,
      'resources: {cpu: 2.., memory: 1GB.., disk: 1GB..}',
      more,
    ].join('\n');
    await home.ok('apply', '-f', configuration(home, `${name}.dstack.yml`, yaml), '-y', '-d');
  }

  async function allEnded(): Promise<void> {
    await until(async () => cloud.vms() === 0);
    expect(leftOver(cloud.history())).toEqual([]);
  }

  it('run a task from apply to its logs, without anything of it in what the provider sees', async () => {
    await start(
      'first',
      ['echo hello from a pod', 'echo "secret is $PASSPHRASE"', 'env'],
      'env: [PASSPHRASE=hunter2]',
    );
    expect((await untilRun(home, 'first', isFinished)).status).toBe('done');
    const logs = await home.ok('logs', 'first');
    expect(logs).toContain('hello from a pod');
    expect(logs).toContain('secret is hunter2');
    expect(logs).not.toMatch(/DSTACK_(AGENT_(TOKEN|URL|SHA256)|TAGS)/);
    expect(JSON.stringify(cloud.log)).not.toContain('hunter2');
    await allEnded();
    const orders = cloud.log.filter(({ method, path }) => method === 'POST' && path === '/v2/pods');
    expect(orders).toHaveLength(1);
  });

  it('are entered by ssh and a forwarded port through the server, and end when the run is stopped', async () => {
    const before = cloud.history().length;
    const commands = ['echo page > /tmp/index.html', 'httpd -f -p 127.0.0.1:8080 -h /tmp'];
    await start('serving', commands, 'ports: [8080]');
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
    await allEnded();
    expect(cloud.history()).toHaveLength(before + 2);
  });

  it('survive kill -9 of the server while the agent is fetched, and while the job runs', async () => {
    const before = cloud.history().length;
    await start('survivor', ['sleep 6', 'echo survived']);
    await until(async () => cloud.history().length > before);
    await home.stopServer('SIGKILL');
    await startServer();
    await untilRun(home, 'survivor', isRunning);
    await home.stopServer('SIGKILL');
    await startServer();
    expect((await untilRun(home, 'survivor', isFinished)).status).toBe('done');
    expect(await home.ok('logs', 'survivor')).toContain('survived');
    await allEnded();
    expect(cloud.history()).toHaveLength(before + 2);
  });
});

/** The address of the server for pods: what is in front of it in the network of a company. */
async function startFront(host: string, port: number): Promise<Server> {
  const server = createServer((socket) => {
    const inner = connect(port, '127.0.0.1');
    socket.on('error', () => inner.destroy()).pipe(inner);
    inner.on('error', () => socket.destroy()).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  return server;
}

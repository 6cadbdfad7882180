import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Installation } from '@dstack/testkit';
import { type Authority, hasPebble, startAuthority } from '@dstack/testkit/certificate-authority';
import {
  kubernetesMissing,
  startKubernetes,
  type TestKubernetes,
} from '@dstack/testkit/kubernetes';
import { type ApiProxy, startApiProxy } from '@dstack/testkit/kubernetes-proxy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configuration, isFinished, newInstallation, untilRun } from './installation.ts';
import { acceleratorCases } from './kubernetes/accelerators.ts';
import { claimCases } from './kubernetes/claims.ts';
import { faultCases } from './kubernetes/faults.ts';
import { gatewayCases } from './kubernetes/gateways.ts';
import { placeCases, staticProgram } from './kubernetes/places.ts';
import { violenceCases } from './kubernetes/violence.ts';
import { waitingCases } from './kubernetes/waiting.ts';
import {
  gang,
  message,
  RESOURCES,
  SMALL,
  submitted,
  task,
  untilPods,
  untilRunning,
  type World,
} from './kubernetes/world.ts';
import { gatewaysOfClients } from './kubernetes-gateway.ts';
import { OfficialClient, officialClient } from './official-client/official-client.ts';
import { freePort } from './serving.ts';
import { waitFor } from './until.ts';

const run = promisify(execFile);
const missing = kubernetesMissing();
if (missing) console.warn(`Kubernetes is NOT tested: ${missing} is missing`);

const BUILD_MS = 20 * 60_000;
const NETWORK = 221;
/** The bridge, which pods reach. */
const HOST = `10.${NETWORK}.0.1`;
/** The same cluster again, with another name and namespace. */
function withContext(kubeconfig: string, name: string, namespace: string): string {
  const file = JSON.parse(kubeconfig) as {
    readonly contexts: readonly { readonly context: object }[];
  };
  const context = { ...file.contexts[0]?.context, namespace };
  return JSON.stringify({ ...file, contexts: [...file.contexts, { name, context }] });
}

describe.skipIf(missing !== null && !process.env.CI)(
  'jobs in a Kubernetes cluster',
  {
    timeout: 180_000,
  },
  () => {
    let cluster: TestKubernetes;
    let home: Installation;
    let port: number;
    let proxy: ApiProxy;
    let authority: Authority | null = null;

    beforeAll(async () => {
      cluster = await startKubernetes({
        ...{ prefix: 'te', network: NETWORK, nodes: 3 },
        // More memory than any computer of the tests has: kubelets see the use of all of it.
        sizes: '16:256 96:1024:8:NVIDIA-H100-80GB-HBM3 16:256',
      });
      home = newInstallation();
      port = await freePort();
      const acme = { http: 80, https: 443, acme: await freePort(), dns: await freePort() };
      if (hasPebble) authority = await startAuthority(acme, { host: HOST, validSeconds: 86_400 });
      proxy = await startApiProxy(cluster);
      const kubeconfig = join(home.home, 'kubeconfig');
      await cluster.kubectl('create', 'namespace', 'elsewhere');
      writeFileSync(kubeconfig, withContext(proxy.kubeconfig, 'other', 'elsewhere'));
      const tar = join(home.home, 'agent.tar');
      await home.ok('server', 'agent-image', tar, '--name', 'dstack/agent:1');
      await cluster.load(tar);
      rmSync(tar);
      Object.assign(home.env, {
        DSTACK_KUBERNETES_AGENT_IMAGE: 'dstack/agent:1',
        DSTACK_KUBERNETES_SCHEDULE_SECONDS: '5',
        DSTACK_SERVER_SSH_PORT: String(port),
        DSTACK_GATEWAY_DNS: `${HOST}:${acme.dns}`,
        DSTACK_ACME_SERVER: `https://${HOST}:${acme.acme}/dir`,
        ...(authority && { DSTACK_ACME_CA_FILE: authority.ca, ...authority.account }),
      });
      mkdirSync(home.serverDir, { recursive: true });
      writeFileSync(
        join(home.serverDir, 'config.yml'),
        `projects: [{name: main, backends: [{type: kubernetes, kubeconfig: {filename: ${kubeconfig}}, contexts: [${cluster.context}, other]}]}]\n`,
      );
      await home.startServer();
      for (const [name, more] of [
        ['pods', ''],
        ['cluster', 'placement: cluster\n'],
      ] as const) {
        const yaml = `type: fleet\nname: ${name}\nnodes: 0..20\nbackends: [kubernetes]\nregions: [${cluster.context}]\n${more}`;
        await home.ok('apply', '-f', configuration(home, `${name}.yml`, yaml), '-y');
      }
    }, BUILD_MS);
    /** By the manifest, for the namespace of the jobs. */
    async function agentOnNodes(): Promise<void> {
      const manifest = join(import.meta.dirname, '../deploy/kubernetes/agent-on-nodes.yaml');
      const text = readFileSync(manifest, 'utf8');
      const file = join(home.home, 'nodes.yaml');
      writeFileSync(file, text.replaceAll(/namespace: dstack\b(?!-)/g, 'namespace: default'));
      await cluster.kubectl('apply', '-f', file);
      const rollout = ['rollout', 'status', 'daemonset/dstack-agent', '--timeout=120s'];
      await cluster.kubectl('-n', 'dstack-agent', ...rollout);
      // The cluster may bind it up to 15 seconds later.
      const bound = ['wait', 'pvc/dstack-agent', '--for=jsonpath={.status.phase}=Bound'];
      await cluster.kubectl(...bound, '--timeout=60s');
      home.env.DSTACK_KUBERNETES_AGENT_CLAIM = 'dstack-agent';
    }
    afterAll(async () => {
      await home?.dispose();
      await proxy?.[Symbol.asyncDispose]();
      await cluster?.[Symbol.asyncDispose]();
      await authority?.stop();
    }, BUILD_MS);

    it('are offered the nodes, and get accelerators, exit codes, users and memory of their own', async () => {
      const offers = await home.ok(
        'offer',
        '-b',
        'kubernetes',
        '--gpu',
        'H100:2',
        '--disk',
        '1GB..',
      );
      expect(offers).toContain('H100:80GB:2');
      await task(
        home,
        'gpu',
        ['echo "$DSTACK_GPUS_NUM in $HOSTNAME"', 'exit 7'],
        `${RESOURCES}, gpu: "H100:2"}\n`,
      );
      const user = 'user: "1000:1000"\nworking_dir: /tmp\n';
      await task(
        home,
        'user',
        ['id -u; pwd', 'df /dev/shm | tail -1'],
        `${user}${RESOURCES}, shm_size: 64MB}\n`,
      );
      const failed = await untilRun(home, 'gpu', isFinished);
      expect(failed.latest_job_submission.exit_status).toBe(7);
      const pod = await home.ok('logs', 'gpu');
      expect(pod).toMatch(/2 in dstack-main-gpu-0-0-[0-9a-f]{8}/);
      await untilRun(home, 'user', isFinished);
      expect(await home.ok('logs', 'user')).toMatch(/1000\s+\/tmp\s+tmpfs +65536/);
      await untilPods(cluster, (names) => names.length === 0);
      expect(await cluster.kubectl('get', 'secrets', '-o', 'name')).toBe('');
    });

    it('run in an image without a shell, and with the tools of the server', async () => {
      const dir = mkdtempSync(join(tmpdir(), 'image-'));
      try {
        writeFileSync(join(dir, 'hello'), staticProgram(), { mode: 0o755 });
        await cluster.image('bare:1', dir, { Entrypoint: ['/hello'] });
      } finally {
        rmSync(dir, { recursive: true });
      }
      await submitted(
        home,
        'bare',
        `type: task\nname: bare\nimage: bare:1\nentrypoint: /hello\ncommands: []\n${RESOURCES}}\n`,
      );
      const bare = await untilRun(home, 'bare', isFinished);
      expect(bare.latest_job_submission.exit_status).toBe(3);
      expect(await home.ok('logs', 'bare')).toContain('no shell here');
    });

    const world = (): World => ({ cluster, home, proxy, authority });
    placeCases(world);
    waitingCases(world);
    acceleratorCases(world);

    it('survive the death of the server, without a lost line, and are reached by SSH', async () => {
      await task(home, 'long', ['i=0; while :; do i=$((i+1)); echo "line $i"; sleep 0.1; done']);
      await untilRunning(home, 'long');
      await home.stopServer('SIGKILL');
      // The pods of the next server take the agent from their node.
      await agentOnNodes();
      await home.startServer();
      await untilRunning(home, 'long');
      const shell = await home.dstack(['ssh', 'long', '--', 'echo "in $DSTACK_RUN_NAME"; exit 5']);
      expect(shell).toMatchObject({ code: 5, stdout: expect.stringContaining('in long') });
      writeFileSync(join(home.home, 'sent'), 'text');
      await home.ok('cp', join(home.home, 'sent'), 'long:/tmp/there');
      expect(await home.ok('exec', 'long', '--', 'cat', '/tmp/there')).toBe('text');
      await home.ok('stop', 'long', '-y');
      await untilRun(home, 'long', isFinished);
      const lines = [...(await home.ok('logs', 'long')).matchAll(/line (\d+)/g)].map(([, n]) =>
        Number(n),
      );
      expect(lines.length).toBeGreaterThan(5);
      expect(lines).toEqual(lines.map((_, at) => at + 1));
    });

    it('reach each other as the nodes of a task, also after a person has deleted their names', async () => {
      const commands = [
        'echo "rank $DSTACK_NODE_RANK"',
        'until ping -c1 $DSTACK_MASTER_NODE_IP | grep " 0% packet loss"; do sleep 0.2; done',
        'until ping -c1 nodes-2-0 | grep " 0% packet loss"; do sleep 0.2; done; touch /tmp/reached',
        'until [ -e /tmp/end ]; do sleep 0.2; done',
      ];
      await gang(home, 'nodes', 3, commands);
      await untilRunning(home, 'nodes');
      const label = ['-l', 'k8s.dstack.ai/name=nodes'];
      const named = async (kind: string) =>
        (await cluster.kubectl('get', kind, ...label, '-o', 'name')).match(/.+/g) ?? [];
      const inAll = async (script: string) => {
        for (const pod of await named('pods')) {
          await cluster.kubectl('exec', pod, '--', 'sh', '-c', script);
        }
      };
      await inAll('until [ -e /tmp/reached ]; do sleep 0.2; done');
      await cluster.kubectl('delete', 'services', ...label);
      await waitFor(
        () => named('services'),
        (names) => names.length === 1,
        () => 'the names are not made again',
      );
      await inAll('until ping -c1 nodes-1-0; do sleep 0.2; done; touch /tmp/end');
      const nodes = await untilRun(home, 'nodes', isFinished);
      expect([nodes.status, await home.ok('explain', 'nodes', '-v')]).toEqual([
        'done',
        expect.anything(),
      ]);
      for (const rank of [0, 1, 2]) {
        const log = await home.ok('logs', 'nodes', '--job', String(rank));
        expect(log).toContain(`rank ${rank}`);
        expect(log.match(/1 packets received/g)).toHaveLength(2);
      }
      await untilPods(cluster, (names) => names.length === 0);
      expect(await cluster.kubectl('get', 'services', '-o', 'name')).toBe('service/kubernetes\n');
    });

    it('serve requests by two replicas, and keep files in a volume between runs', async () => {
      const serve = 'mkdir /tmp/www; hostname > /tmp/www/index.html; httpd -f -p 8000 -h /tmp/www';
      await submitted(
        home,
        'web',
        `type: service\nname: web\n${SMALL}port: 8000\nauth: false\nreplicas: 2\ncommands: [${JSON.stringify(serve)}]\n${RESOURCES}}\n`,
      );
      const volume = `type: volume\nname: data\nbackend: kubernetes\nregion: ${cluster.context}\nsize: 1GB\n`;
      await home.ok('apply', '-f', configuration(home, 'data.dstack.yml', volume), '-y');
      for (const name of ['first', 'second']) {
        await task(
          home,
          name,
          [`cat /data/kept; echo ${name} >> /data/kept`],
          'volumes: [{name: data, path: /data}]\n',
        );
        await untilRun(home, name, isFinished);
      }
      expect(await home.ok('logs', 'second')).toContain('first');
      await cluster.kubectl('delete', 'pvc', '-l', 'k8s.dstack.ai/name=data');
      await task(home, 'third', ['true'], 'volumes: [{name: data, path: /data}]\n');
      // By its plan, or by its pod if that was quicker.
      expect(message(await untilRun(home, 'third', isFinished))).toMatch(
        /claim dstack-main-data-\w+ does not exist|Volume data is unusable/,
      );
      await home.ok('delete', '-f', 'data.dstack.yml', '-y');
      const names = new Set<string>();
      while (names.size < 2) {
        const answer = await fetch(new URL('/proxy/services/main/web/', home.url));
        if (answer.status === 200) names.add(await answer.text());
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      await home.ok('stop', 'web', '-y');
    });

    claimCases(world);

    faultCases(world);

    violenceCases(world);

    gatewayCases(world);

    it('are used by the official client', async () => {
      const { path, missing: why } = officialClient('0.22.5');
      if (path === null) throw new Error(why);
      const client = new OfficialClient(path, join(home.home, 'client'));
      const project = ['--name', 'main', '--url', home.url, '--token', home.token()];
      await client.ok('project', 'add', ...project, '-y');
      const offers = await client.ok('offer', '-b', 'kubernetes', '--disk', '1GB..');
      expect(offers).toMatch(/te[123]/);
      const volume = `type: volume\nname: theirs\nbackend: kubernetes\nregion: ${cluster.context}\nsize: 1GB\n`;
      await client.ok('apply', '-f', client.write('theirs.dstack.yml', volume), '-y');
      const [inside, local] = [await freePort(), await freePort()];
      const serve = `mkdir /data/www; echo kept > /data/www/index.html; echo serving it; httpd -f -p ${inside} -h /data/www`;
      const site = `type: task\nname: site\n${SMALL}commands: [${JSON.stringify(serve)}]\nports: ["${local}:${inside}"]\nvolumes: [{name: theirs, path: /data}]\n${RESOURCES}}\n`;
      const session = client.start([
        ...['apply', '-f', client.write('site.dstack.yml', site), '--fleet', 'pods'],
      ]);
      session.answer('y');
      await session.until('serving it');
      const page = async () => await (await fetch(`http://127.0.0.1:${local}/`)).text();
      expect(await page()).toBe('kept\n');
      const config = join(client.home, '.dstack', 'ssh', 'config');
      const words = 'echo "in $DSTACK_RUN_NAME"';
      expect((await run('ssh', ['-n', '-F', config, 'site', words])).stdout).toBe('in site\n');
      expect(await client.ok('logs', 'site')).toContain('serving it');
      session.interrupt();
      await session.until('before detaching?');
      session.answer('y');
      expect((await session.ended).stdout).toContain('Stopped');
      const ide = `type: dev-environment\nname: dev\nide: zed\n${SMALL}${RESOURCES}}\n`;
      const file = client.write('dev.dstack.yml', ide);
      await client.ok('apply', '-f', file, '-y', '-d', '--fleet', 'pods');
      await untilRunning(home, 'dev');
      const attached = client.start(['attach', 'dev']);
      await attached.until('ssh dev');
      expect((await run('ssh', ['-n', '-F', config, 'dev', 'pwd'])).stdout).toContain('/');
      attached.interrupt();
      await attached.ended;
      await client.ok('stop', 'dev', '-y');
      await untilRun(home, 'dev', isFinished);
      await client.ok('delete', '-f', 'theirs.dstack.yml', '-y');
      await gatewaysOfClients({ cluster }, client);
    });

    it('end with the reason of the cluster: memory, preemption, image, quota, eviction', async () => {
      await submitted(
        home,
        'absent',
        `type: task\nname: absent\nimage: busybox:absent\ncommands: ['true']\nbackend_settings: {kubernetes: {image_pull_policy: Never}}\n${RESOURCES}}\n`,
      );
      expect(message(await untilRun(home, 'absent', isFinished))).toContain('must not be pulled');
      const fill = 'dd if=/dev/zero of=/dev/null bs=900M count=1';
      const limited = 'resources: {cpu: 1.., memory: 0.1GB..0.2GB, disk: 1GB..}\n';
      await task(home, 'full', [fill, 'echo not reached'], limited);
      const full = await untilRun(home, 'full', isFinished);
      expect(message(full)).toContain('Out of memory');
      expect(full.latest_job_submission.exit_status).toBe(137);
      await cluster.kubectl('create', 'priorityclass', 'low', '--value=-10');
      await cluster.kubectl('create', 'priorityclass', 'high', '--value=1000');
      const low = `backend_settings: {kubernetes: {priority_class: low, node_selector: {kubernetes.io/hostname: ${cluster.node(2)}}}}\n`;
      await task(home, 'low', ['sleep 1000'], `${low}${RESOURCES}, gpu: "H100:8"}\n`);
      await untilRunning(home, 'low');
      const overrides = {
        spec: {
          priorityClassName: 'high',
          terminationGracePeriodSeconds: 1,
          tolerations: [{ operator: 'Exists' }],
          containers: [
            {
              name: 'high',
              image: 'busybox:1',
              command: ['true'],
              resources: { limits: { 'nvidia.com/gpu': '8' } },
            },
          ],
        },
      };
      const high = ['high', '--image=busybox:1', '--restart=Never'];
      await cluster.kubectl('run', ...high, `--overrides=${JSON.stringify(overrides)}`);
      expect(message(await untilRun(home, 'low', isFinished))).toContain(
        `a pod of higher priority took its place (node ${cluster.node(2)})`,
      );
      await cluster.kubectl('delete', 'pod', 'high');
      await task(home, 'evicted', ['sleep 1000']);
      await untilRunning(home, 'evicted');
      // Pods of runs that have ended may still be there.
      const pods = (await cluster.kubectl('get', 'pods', '-o', 'name')).split('\n');
      const pod = pods.find((one) => one.includes('-evicted-0-0-'))?.replace('pod/', '') ?? '';
      const eviction = {
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: { name: pod, namespace: 'default' },
      };
      const file = join(home.home, 'eviction.json');
      writeFileSync(file, JSON.stringify(eviction));
      await cluster.kubectl(
        'create',
        '--raw',
        `/api/v1/namespaces/default/pods/${pod}/eviction`,
        '-f',
        file,
      );
      const evicted = await untilRun(home, 'evicted', isFinished);
      expect(evicted.latest_job_submission.termination_reason).toBe('interrupted_by_no_capacity');
      expect(message(evicted)).toContain('it was evicted');
      expect(await home.ok('explain', 'evicted')).not.toContain('spot');
      await cluster.kubectl('create', 'quota', 'none', '--hard=pods=0');
      await task(home, 'quota', ['true']);
      expect(message(await untilRun(home, 'quota', isFinished))).toContain('exceeded quota');
      await cluster.kubectl('delete', 'quota', 'none');
    });
  },
);

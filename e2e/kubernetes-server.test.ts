/** The server in a real cluster, installed by its Helm chart with an image of the package. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Installation,
  type PostgresCluster,
  postgresBinaries,
  startPostgres,
} from '@dstack/testkit';
import { helm } from '@dstack/testkit/helm';
import {
  kubernetesMissing,
  startKubernetes,
  type TestKubernetes,
} from '@dstack/testkit/kubernetes';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { manifests } from '../scripts/manifests.ts';
import { countedTo, linesIn } from './counting.ts';
import {
  configuration,
  dstack,
  isFinished,
  isRunning,
  newInstallation,
  untilRun,
} from './installation.ts';
import { addMigrations } from './newer-build.ts';
import { installInto, pack } from './packed.ts';
import { Terminal } from './terminal.ts';
import { until } from './until.ts';

const root = resolve(import.meta.dirname, '..');
const CHART = join(root, 'deploy', 'helm', 'dstack');
const binaries = postgresBinaries();
const missing = kubernetesMissing() ?? (binaries === null ? 'PostgreSQL' : null);
if (missing) console.warn(`The server on Kubernetes is NOT tested: ${missing} is missing`);

const BUILD_MS = 30 * 60_000;
const NETWORK = 229;
/** The bridge, which pods reach, and one of the nodes, which serves the ports of Services. */
const HOST = `10.${NETWORK}.0.1`;
const NODE = `10.${NETWORK}.0.11`;
const HTTP_PORT = 30_080;
const SSH_PORT = 30_022;
const IMAGE = 'packed/dstack';
/** Migrations of newer versions: v2 has the first one, v3 has both. */
const COLORS = { name: 'colors', isAdditive: true };
const SHAPES = { name: 'shapes', isAdditive: false };

describe.skipIf(missing !== null && !process.env.CI)(
  'the server on Kubernetes',
  // A second try would begin with what the first one has left installed, and wait for all its limits.
  { timeout: 240_000, retry: 0 },
  () => {
    let cluster: TestKubernetes;
    let postgres: PostgresCluster;
    let database: string;
    let relay: Server;
    let home: Installation;
    let env: NodeJS.ProcessEnv;
    const token = randomBytes(32).toString('hex');
    const install = (...more: string[]) =>
      helm(
        [
          ...['upgrade', '--install', 'dstack', CHART, '--namespace', 'dstack', '--wait'],
          ...[
            '--set',
            `image.repository=${IMAGE},server.shutdownDelay=2,kubernetesBackend.agentImage=packed/agent:1`,
          ],
          ...['--set', `server.url=http://${NODE}:${HTTP_PORT}`],
          ...['--set', `service.type=NodePort,service.nodePort=${HTTP_PORT}`],
          ...[
            '--set',
            `ssh.enabled=true,ssh.service.type=NodePort,ssh.service.nodePort=${SSH_PORT}`,
          ],
          ...more,
        ],
        env,
      );

    beforeAll(async () => {
      home = newInstallation();
      cluster = await startKubernetes({
        ...{ prefix: 'tv', network: NETWORK, nodes: 3, sizes: '4:256' },
      });
      env = { KUBECONFIG: cluster.kubeconfig };
      postgres = await startPostgres(binaries ?? '');
      const { url, name } = await postgres.createDatabase();
      database = name;
      const socket = join(new URL(url).searchParams.get('host') ?? '', '.s.PGSQL.5432');
      relay = createServer((one) => {
        const other = connect(socket);
        one.pipe(other).pipe(one);
        for (const end of [one, other]) end.on('error', () => [one, other].map((x) => x.destroy()));
      }).listen(0, HOST);
      await once(relay, 'listening');
      const { port } = relay.address() as { readonly port: number };
      const databaseUrl = `postgres://postgres@${HOST}:${port}/${name}`;

      const folder = mkdtempSync(join(tmpdir(), 'dstack-packed-'));
      try {
        const files = join(folder, 'root');
        const installed = installInto(files, pack(folder, { docs: false }));
        for (const name of ['tmp', 'data']) mkdirSync(join(files, name));
        const config = { Env: ['PATH=/opt/dstack/bin:/bin'] };
        await cluster.image(`${IMAGE}:v1`, files, config);
        for (const [tag, later] of [
          ['v2', [COLORS]],
          ['v3', [COLORS, SHAPES]],
        ] as const) {
          const changed = join(folder, tag);
          const server = join(changed, relative(files, installed), 'dist', 'server');
          mkdirSync(server, { recursive: true });
          addMigrations(server, later);
          await cluster.image(`${IMAGE}:${tag}`, files, config, changed);
        }
      } finally {
        rmSync(folder, { recursive: true });
      }
      const agent = join(home.home, 'agent.tar');
      await home.ok('server', 'agent-image', agent, '--name', 'packed/agent:1');
      await cluster.load(agent);
      rmSync(agent);
      const secret = [
        `--from-literal=admin-token=${token}`,
        `--from-literal=encryption-key=${randomBytes(32).toString('base64')}`,
        `--from-literal=database-url=${databaseUrl}`,
      ];
      await cluster.kubectl('create', 'namespace', 'dstack');
      await cluster.kubectl('-n', 'dstack', 'create', 'secret', 'generic', 'dstack', ...secret);
    }, BUILD_MS);
    afterAll(async () => {
      await home?.dispose();
      await cluster?.[Symbol.asyncDispose]();
      relay?.close();
      await postgres?.stop();
    }, BUILD_MS);

    it('has a chart of which the plain manifests are rendered', async () => {
      for (const [name, text] of await manifests()) {
        const file = readFileSync(join(root, 'deploy', 'kubernetes', name), 'utf8');
        expect(file, `deploy/kubernetes/${name}: run node scripts/manifests.ts`).toBe(text);
      }
      expect(await helm(['lint', '--strict', CHART])).toContain('0 chart(s) failed');
    });

    it('has a chart that passes settings on as they are written', async () => {
      const env = { BYTES: 2097152, PART: 0.5, FLAG: true, TEXT: '1e3' };
      const values = ['--set-json', `env=${JSON.stringify(env)}`];
      const shown = ['--show-only', 'templates/deployment.yaml'];
      const rendered = await helm([
        'template',
        'dstack',
        CHART,
        '-n',
        'dstack',
        ...values,
        ...shown,
      ]);
      for (const [name, value] of Object.entries(env)) {
        expect(rendered).toContain(`{name: ${name}, value: "${value}"}`);
      }
    });

    it.each([
      ['replicas=two', '/replicas'],
      ['database.type=sqlite', '/replicas'],
      ['server.adress=x', 'adress'],
      ['service.port=0', '/service/port'],
      ['ssh.enabled=true', 'ssh.host: set the host name'],
      ['ingress.enabled=true', 'ingress.host: set the host name'],
      ['kubernetesBackend.namespace=dstack', 'kubernetesBackend.namespace: it must not be'],
      [
        'config.projects[0].name=main,config.projects[0].backends[0].type=kubernetes',
        'project main',
      ],
    ])('has a chart that refuses the values %s by naming %s', async (values, message) => {
      const args = ['template', 'dstack', CHART, '-n', 'dstack', '--set', values];
      await expect(helm(args)).rejects.toThrow(message);
    });

    it('runs as two replicas, and starts jobs as pods by the rights of its own account', async () => {
      await install('--set', 'image.tag=v1');
      await home.connect(`http://${NODE}:${HTTP_PORT}`, token);
      const fleet = 'type: fleet\nname: pods\nnodes: 0..10\nbackends: [kubernetes]\n';
      await home.ok('apply', '-f', configuration(home, 'pods.yml', fleet), '-y');
      const yaml = task('hello', ['echo "hello from $HOSTNAME"']);
      const { stdout, stderr } = await home.dstack(['apply', '-f', yaml, '-y']);
      expect(stdout + stderr).toContain('hello from dstack-main-hello-0-0');
      const pods = await cluster.kubectl('-n', 'dstack', 'get', 'pods', '-o', 'wide');
      expect(pods.match(/ 1\/1 +Running +0 /g)).toHaveLength(2);
    });

    it('is upgraded, with its schema, without a failed call or a lost line, and sessions continue', async () => {
      const lines = 'i=0; while :; do i=$((i+1)); echo "line $i"; sleep 0.05; done';
      await home.ok('apply', '-f', task('long', [lines]), '-y', '-d');
      await untilRun(home, 'long', isRunning);
      const followed = await follow('long');
      const attached = new Terminal(home, ['attach', 'long'], dstack);
      await attached.until(/Press Ctrl\+C to detach/);
      const polled = poll();
      const session = home.dstack(['exec', 'long', '--', 'sh', '-c', 'sleep 8; echo complete']);
      const before = await podNames();
      await install('--set', 'image.tag=v2');
      await until(async () => !(await podNames()).some((name) => before.includes(name)));
      expect(await polled.end()).toEqual([]);
      expect(await schema()).toBe('colors');
      expect(await session).toMatchObject({ code: 0, stdout: 'complete\n' });
      await attached.until(/Reconnected to long/);
      expect(await home.ok('exec', 'long', '--', 'echo', 'inside')).toBe('inside\n');
      const run = await home.dstack(['ssh', 'long', '--', 'exit 5']);
      expect(run.code).toBe(5);
      attached.pressCtrlC();
      await attached.end();
      await home.ok('stop', 'long', '-y');
      await untilRun(home, 'long', isFinished);
      const seen = await followed.lines;
      expect(seen).toEqual(countedTo(seen.length));
      expect(linesIn(await home.ok('logs', 'long'))).toEqual(seen);
    });

    it('is taken back to the version before while the API server of the cluster is killed', async () => {
      const lines = 'i=0; while :; do i=$((i+1)); echo "line $i"; sleep 0.05; done';
      await home.ok('apply', '-f', task('back', [lines]), '-y', '-d');
      await untilRun(home, 'back', isRunning);
      const followed = await follow('back');
      const polled = poll();
      await installWith('v1', () => cluster.killApiServer());
      expect(await polled.end()).toEqual([]);
      expect(await schema()).toBe('colors');
      await home.ok('stop', 'back', '-y');
      await untilRun(home, 'back', isFinished);
      const seen = await followed.lines;
      expect(seen).toEqual(countedTo(seen.length));
      expect(linesIn(await home.ok('logs', 'back'))).toEqual(seen);
      await untilNoJobs();
    });

    it('loses nothing when a replica is killed', async () => {
      const lines = 'i=0; while :; do i=$((i+1)); echo "line $i"; sleep 0.05; done';
      await home.ok('apply', '-f', task('killed', [lines]), '-y', '-d');
      await untilRun(home, 'killed', isRunning);
      const followed = await follow('killed');
      const pids = servers();
      expect(pids).toHaveLength(2);
      for (const [at, pid] of pids.entries()) {
        process.kill(pid, 'SIGKILL');
        await until(async () => (await readyAndRestarted()) === `2 ${at + 1}`);
      }
      await home.ok('stop', 'killed', '-y');
      await untilRun(home, 'killed', isFinished);
      const seen = await followed.lines;
      expect(seen).toEqual(countedTo(seen.length));
      expect(linesIn(await home.ok('logs', 'killed'))).toEqual(seen);
    });

    it('recovers by itself when the database is killed in the middle of an upgrade', async () => {
      const lines = 'i=0; while :; do i=$((i+1)); echo "line $i"; sleep 0.05; done';
      await home.ok('apply', '-f', task('kept', [lines]), '-y', '-d');
      await untilRun(home, 'kept', isRunning);
      await installWith('v2', () => postgres.crash());
      const after = await home.dstack(['apply', '-f', task('after', ['echo reached']), '-y']);
      expect(after.stdout + after.stderr).toContain('reached');
      expect((await untilRun(home, 'kept', isRunning)).jobs[0]?.job_submissions).toHaveLength(1);
      await home.ok('stop', 'kept', '-y');
      await untilRun(home, 'kept', isFinished);
      const seen = linesIn(await home.ok('logs', 'kept'));
      expect(seen).toEqual(countedTo(seen.length));
      await untilNoJobs();
    });

    it('changes its schema in another way only when all servers of the version before have ended', async () => {
      const polled = poll();
      const before = await podNames();
      await install('--set', 'image.tag=v3', '--wait=false');
      const said = 'Servers of an older version use the database';
      for (let log = ''; !log.includes(said); await delay(200)) {
        const newer = (await podNames()).find((name) => !before.includes(name));
        log = newer ? await cluster.kubectl('-n', 'dstack', 'logs', newer).catch(() => '') : '';
      }
      expect(await polled.end()).toEqual([]);
      expect(await schema()).toBe('colors');
      await install('--set', 'image.tag=v3,strategy=Recreate');
      expect(await schema()).toBe('shapes');
      await home.api('/api/runs/list', {});
    });

    /** Installs a version; something happens when its first pod is there. All pods are of it then. */
    async function installWith(tag: string, happens: () => Promise<void>): Promise<void> {
      const before = await podNames();
      let isInstalled = false;
      const installed = install('--set', `image.tag=${tag}`).finally(() => {
        isInstalled = true;
      });
      const hasNewPod = async () => (await podNames()).some((name) => !before.includes(name));
      await until(async () => isInstalled || (await hasNewPod()));
      await Promise.all([happens(), installed]);
      await until(async () => !(await podNames()).some((name) => before.includes(name)));
    }

    /** The latest change of the database. */
    async function schema(): Promise<unknown> {
      const latest = 'select name from dstack_migrations order by number desc limit 1';
      return (await postgres.query(latest, database))[0]?.name;
    }

    function task(name: string, commands: readonly string[]): string {
      const resources = 'resources: {cpu: 1.., memory: 0.2GB.., disk: 1GB..}';
      const yaml = `type: task\nname: ${name}\nimage: busybox:1\ncommands: ${JSON.stringify(commands)}\n${resources}\n`;
      return configuration(home, `${name}.dstack.yml`, yaml);
    }

    /** Resolves once the first lines are there; the run's end completes its lines. */
    async function follow(run: string): Promise<{ readonly lines: Promise<string[]> }> {
      const first = Promise.withResolvers<void>();
      const ended = home.dstack(['logs', '-f', run], { onStdout: () => first.resolve() });
      await Promise.race([first.promise, ended]);
      return { lines: ended.then(({ stdout }) => linesIn(stdout)) };
    }

    /** What the servers have logged as errors lately; their logs end with their pods. */
    async function loggedErrors(): Promise<string[]> {
      const read = (name: string) =>
        cluster.kubectl('-n', 'dstack', 'logs', name, '--tail=200').catch(() => '');
      const logs = await Promise.all((await podNames().catch(() => [])).map(read));
      return logs.flatMap((log) => log.split('\n').filter((line) => line.includes('"level":50')));
    }

    /** Calls the API all the time; its end returns what failed, and what the servers logged at the first failure. */
    function poll(): { readonly end: () => Promise<readonly string[]> } {
      const failed: string[] = [];
      let isEnding = false;
      const call = async () => {
        while (!isEnding) {
          const list = home.api('/api/runs/list', {});
          await list.catch(async (error: Error) => {
            failed.push(`${error.message} ${error.cause ?? ''}`);
            if (failed.length === 1) failed.push(...(await loggedErrors()));
          });
          await delay(20);
        }
      };
      const calls = Promise.all([call(), call()]);
      const end = async () => {
        isEnding = true;
        await calls;
        return failed.slice(0, 10);
      };
      return { end };
    }

    /** Processes of the replicas, which this computer sees. */
    function servers(): number[] {
      const isServer = (pid: string) => {
        try {
          const variables = readFileSync(`/proc/${pid}/environ`, 'utf8');
          const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
          return variables.includes(`ADMIN_TOKEN=${token}`) && line.includes('main.js\0server');
        } catch {
          return false;
        }
      };
      return readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name) && isServer(name))
        .map(Number);
    }

    /** The pods of jobs and what belongs to them. */
    async function untilNoJobs(): Promise<void> {
      const kinds = 'pods,secrets,services,persistentvolumeclaims';
      const list = [
        '-n',
        'dstack-jobs',
        'get',
        kinds,
        '-l',
        'app.kubernetes.io/managed-by=dstack',
        '-o',
        'name',
      ];
      await until(async () => (await cluster.kubectl(...list)) === '');
    }

    async function podNames(): Promise<string[]> {
      const names = await cluster.kubectl('-n', 'dstack', 'get', 'pods', '-o', 'name');
      return names.split('\n').filter((line) => line !== '');
    }

    /** Numbers of replicas that are ready, and of starts after the first ones. */
    async function readyAndRestarted(): Promise<string> {
      const path =
        'jsonpath={.items[*].status.containerStatuses[0].ready} {.items[*].status.containerStatuses[0].restartCount}';
      const words = (await cluster.kubectl('-n', 'dstack', 'get', 'pods', '-o', path)).split(' ');
      const ready = words.filter((word) => word === 'true').length;
      return `${ready} ${words.map((word) => Number(word) || 0).reduce((sum, n) => sum + n)}`;
    }
  },
);

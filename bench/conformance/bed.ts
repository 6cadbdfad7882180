/** The same apps behind a gateway, behind the proxy of the server, and behind nginx alone. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { get as secureGet } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';
import { jobProgram } from '@dstack/testkit/job-programs';
import { freePort } from '../../e2e/serving.ts';
import { installation } from '../installation.ts';
import { appUrl } from '../proxy.ts';
import { applyFleet, submit } from '../runs.ts';

/** `web`: pages and WebSockets; `raw`: returns the bytes that it gets; `calls`: gRPC. */
export type AppName = 'web' | 'raw' | 'calls';

/** One way to the apps. */
export interface Way {
  readonly name: string;
  readonly port: number;
  /** With TLS and HTTP/2; null: this way has none. */
  readonly securePort: number | null;
  /** The file of the authority of its certificate. */
  readonly ca: string;
  /** The name that leads to an app, and what its paths begin with. */
  at(app: AppName, isSecure: boolean): { readonly host: string; readonly path: string };
}

export interface Bed {
  readonly way: Way;
  /** The addresses of the apps themselves. */
  readonly apps: Readonly<Record<AppName, URL | null>>;
  close(): Promise<void>;
}

const program = (name: string) => `exec ${jobProgram(join(import.meta.dirname, `${name}.ts`))}`;

/** A certificate of its own authority. */
function certificate(dir: string) {
  const [key, ca] = [join(dir, 'own.key'), join(dir, 'own.pem')];
  const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const names = ['-subj', '/CN=suites', '-addext', 'subjectAltName=DNS:*.apps.test'];
  const made = ['req', '-x509', ...fresh, ...names, '-keyout', key, '-out', ca, '-days', '2'];
  execFileSync('openssl', made, { stdio: 'pipe' });
  return { key, ca };
}

/** `calls`: the program of the app of gRPC. */
export async function gatewayBed(engine: 'workers' | 'nginx', calls: string): Promise<Bed> {
  const [port, securePort, callsPort] = [await freePort(), await freePort(), await freePort()];
  const home = installation({
    DSTACK_GATEWAY_HTTP_PORT: String(port),
    DSTACK_GATEWAY_HTTPS_PORT: String(securePort),
    DSTACK_GATEWAY_PROXY: engine,
    DSTACK_LOCAL_MAX_INSTANCES: '8',
  });
  const close = async () => {
    await home.ok('gateway', 'delete', 'edge', '-y', '--force').catch(() => {});
    await home.dispose();
  };
  try {
    await home.startServer();
    await applyFleet(home, '0..8');
    const yaml =
      "type: gateway\nname: edge\nbackend: remote\nregion: local\ndomain: '*.apps.test'\ncertificate: null\n";
    writeFileSync(join(home.home, 'edge.yml'), yaml);
    await home.ok('apply', '-f', 'edge.yml', '-y');
    const { key, ca } = certificate(home.home);
    await home.ok('gateway', 'certificate', 'set', 'edge', '--cert', ca, '--key', key);
    const open = { type: 'service', port: 8000, auth: false };
    for (const name of ['web', 'raw']) {
      const commands = [program(`${name}-app`)];
      await submit(home, name, { ...open, https: false, commands });
      await submit(home, `${name}-tls`, { ...open, commands });
    }
    const commands = [`exec ${calls} -port ${callsPort}`];
    await submit(home, 'calls-tls', { ...open, port: callsPort, protocol: 'grpc', commands });
    const apps = {
      web: await appOf(home, 'web'),
      raw: await appOf(home, 'raw'),
      calls: new URL(`http://127.0.0.1:${callsPort}/`),
    };
    for (const url of [apps.web, apps.raw]) await untilAnswered(url.href, {});
    for (const name of ['web', 'raw']) {
      await untilAnswered(`http://127.0.0.1:${port}/`, { host: `${name}.apps.test` });
      const options = { host: `${name}-tls.apps.test`, servername: `${name}-tls.apps.test` };
      await untilAnswered(`https://127.0.0.1:${securePort}/`, options);
    }
    await untilListens(callsPort);
    const way: Way = {
      ...{ name: `gateway, ${engine}`, port, securePort, ca },
      at: (app, isSecure) => ({ host: `${app}${isSecure ? '-tls' : ''}.apps.test`, path: '/' }),
    };
    return { way, apps, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The server in one process takes the requests itself. */
export async function serverBed(): Promise<Bed> {
  const home = installation({ DSTACK_SERVER_PROXY_WORKERS: '0' });
  try {
    await home.startServer();
    await applyFleet(home, '0..8');
    for (const name of ['web', 'raw']) {
      const open = { type: 'service', port: 8000, auth: false };
      await submit(home, name, { ...open, commands: [program(`${name}-app`)] });
      await untilAnswered(`${home.url}/proxy/services/main/${name}/`, {});
    }
    const { host, port } = new URL(home.url);
    const way: Way = {
      ...{ name: 'server', port: Number(port), securePort: null, ca: '' },
      at: (app) => ({ host, path: `/proxy/services/main/${app}/` }),
    };
    return { way, apps: { web: null, raw: null, calls: null }, close: () => home.dispose() };
  } catch (error) {
    await home.dispose();
    throw error;
  }
}

/** nginx as its manual has it for such apps, in front of the apps of another bed. */
export async function nginxBed(apps: Bed['apps']): Promise<Bed> {
  const dir = mkdtempSync(join(tmpdir(), 'dstack-nginx-'));
  const [port, securePort] = [await freePort(), await freePort()];
  const { key, ca } = certificate(dir);
  const plain = (['web', 'raw'] as const).map(
    (app) => `  server {
    listen 127.0.0.1:${port}; listen 127.0.0.1:${securePort} ssl http2;
    server_name ${app}.apps.test;
    location / {
      proxy_pass http://${apps[app]?.host}; proxy_http_version 1.1;
      proxy_buffering off; proxy_request_buffering off;
      proxy_set_header Host $http_host;
      proxy_set_header Connection $connection_of_app; proxy_set_header Upgrade $http_upgrade;
    }
  }`,
  );
  writeFileSync(
    join(dir, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${dir}/pid; error_log ${dir}/error.log;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${dir}/b; proxy_temp_path ${dir}/p; fastcgi_temp_path ${dir}/f;
  uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
  keepalive_requests 1000000; client_max_body_size 0;
  ssl_certificate ${ca}; ssl_certificate_key ${key};
  map $http_upgrade $connection_of_app { default "upgrade"; "" ""; }
  server {
    listen 127.0.0.1:${port} default_server; listen 127.0.0.1:${securePort} ssl http2 default_server;
    return 404;
  }
${plain.join('\n')}
  server {
    listen 127.0.0.1:${securePort} ssl http2; server_name calls.apps.test;
    location / {
      grpc_pass grpc://${apps.calls?.host}; grpc_read_timeout 1h; client_body_timeout 1h;
    }
  }
}`,
  );
  const nginx = spawn('nginx', ['-c', join(dir, 'nginx.conf'), '-p', dir], { stdio: 'ignore' });
  await untilAnswered(`http://127.0.0.1:${port}/`, { host: 'web.apps.test' });
  return {
    way: {
      ...{ name: 'nginx alone', port, securePort, ca },
      at: (app) => ({ host: `${app}.apps.test`, path: '/' }),
    },
    apps,
    close: async () => {
      nginx.kill();
      await once(nginx, 'exit');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** The address of the app of a service. */
async function appOf(home: Installation, run_name: string): Promise<URL> {
  for (;;) {
    const run = await home.api<{ latest_job_submission: { id: string } | null }>(
      '/api/project/main/runs/get',
      { run_name },
    );
    if (run.latest_job_submission) return appUrl(run.latest_job_submission.id);
    await delay(50);
  }
}

/** The computer may be busy. */
const PATIENCE_MS = 120_000;

/** The names that a client uses; none: those of the URL. */
interface Names {
  readonly host?: string;
  readonly servername?: string;
}

async function untilAnswered(url: string, names: Names): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const seen = await statusOf(url, names).catch(String);
    if (seen === 200) return;
    if (performance.now() > end) throw new Error(`${url} ${names.host ?? ''}: ${seen}`);
    await delay(50);
  }
}

async function untilListens(port: number): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  for (let isOpen = false; !isOpen; ) {
    if (performance.now() > end) throw new Error(`nothing listens at port ${port}`);
    const socket = connect(port, '127.0.0.1');
    isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (!isOpen) await delay(50);
  }
}

/** `fetch` would set the header `Host` itself. */
async function statusOf(url: string, { host, servername }: Names): Promise<number> {
  const headers = host === undefined ? {} : { host };
  const sent =
    servername === undefined
      ? get(url, { headers, agent: false })
      : secureGet(url, { headers, servername, agent: false, rejectUnauthorized: false });
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  answer.resume();
  return answer.statusCode ?? 0;
}

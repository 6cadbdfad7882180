/**
 * A service through the server, through its proxy workers, through nginx and through the least that a proxy
 * written for Node does, beside direct requests to the same app, in one run.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { jobProgram } from '@dstack/testkit/job-programs';
import { connectionsOf } from '../e2e/process-sockets.ts';
import { freePort } from '../e2e/serving.ts';
import { installation, root } from './installation.ts';
import { print, summary } from './measure.ts';
import { load, ownAddress, type Target } from './proxy.ts';
import { measured, printWays, type Way, type Ways } from './proxy-table.ts';
import { applyFleet, submit } from './runs.ts';
import { residentMb } from './server-start.ts';

const SECONDS = 3;
const WORKERS = 2;

export async function proxyWorkers(): Promise<void> {
  const ways: Ways = new Map();
  for (const workers of [0, WORKERS]) {
    const home = installation({ DSTACK_SERVER_PROXY_WORKERS: String(workers) });
    try {
      await home.startServer();
      await applyFleet(home, '0..2');
      await submit(home, 'app', {
        ...{ type: 'service', port: 8000 },
        commands: [`exec ${jobProgram(join(root, 'e2e', 'service-app.ts'))}`],
      });
      const through: Target = {
        url: new URL('/proxy/services/main/app/', home.url),
        headers: { authorization: `Bearer ${home.token()}` },
      };
      const own = { url: await ownAddress(through), headers: {} };
      await delay(3000);
      const name = workers === 0 ? 'server' : `${workers} workers`;
      ways.set(name, await measured(through));
      if (workers === 0) {
        ways.set('direct', await measured(own));
        ways.set('nginx', await throughNginx(own.url));
        ways.set('plain, undici', await throughPlain(own.url, 'undici'));
        ways.set('plain, agent', await throughPlain(own.url, 'agent'));
        continue;
      }
      const pids = readdirSync(join(home.serverDir, 'proxy'))
        .filter((file) => file.endsWith('.json'))
        .map((file) => JSON.parse(readFileSync(join(home.serverDir, 'proxy', file), 'utf8')).pid);
      for (const connections of [64, 512]) await printShares(through, pids, connections);
      const memory = pids.map((pid) => residentMb(pid)).join(', ');
      print({ name: 'proxy workers: memory of each after load', unit: 'MB', value: memory });
      const busy = load(through, 64, SECONDS);
      const api: number[] = [];
      for (const end = performance.now() + SECONDS * 1000; performance.now() < end; ) {
        const started = performance.now();
        await home.api('/api/project/main/runs/get', { run_name: 'app' });
        api.push(performance.now() - started);
      }
      await busy;
      print({ name: 'API during proxy load of 64 connections', unit: 'ms', ...summary(api) });
    } finally {
      await home.dispose();
    }
  }
  printWays('proxy', ways);
}

/** How many of the connections each worker has while all of them are busy, and once each was taken. */
async function printShares(target: Target, pids: readonly number[], connections: number) {
  const busy = load(target, connections, 2 * SECONDS);
  await delay(2 * SECONDS * 1000 - 500);
  const counts = pids.map((pid) => connectionsOf(pid, Number(target.url.port)));
  await busy;
  const all = counts.reduce((sum, count) => sum + count, 0);
  print({
    name: `proxy workers: shares of ${connections} connections`,
    ...{ unit: 'connections', value: counts.join(', ') },
    least: Math.round((Math.min(...counts) / all) * 100) / 100,
  });
}

/** With as many processes as there are workers. */
async function throughPlain(app: URL, kind: 'undici' | 'agent'): Promise<Way> {
  const port = await freePort();
  const program = join(root, 'bench', 'plain-proxy.ts');
  const args = [program, String(port), app.href, String(WORKERS), kind];
  const plain = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  try {
    const url = new URL(`http://127.0.0.1:${port}/`);
    while (!(await fetch(url).catch(() => null))?.ok) await delay(20);
    return await measured({ url, headers: {} }, 'requests');
  } finally {
    plain.disconnect();
    await once(plain, 'exit');
  }
}

export async function throughNginx(app: URL): Promise<Way> {
  await using nginx = await startNginx(app);
  return await measured(nginx.target);
}

/** nginx alone, with as little configuration as it needs. */
export async function startNginx(app: URL, processes = 1) {
  const dir = mkdtempSync(join(tmpdir(), 'dstack-nginx-'));
  const port = await freePort();
  writeFileSync(
    join(dir, 'nginx.conf'),
    `daemon off; worker_processes ${processes}; pid ${dir}/pid; error_log ${dir}/error.log;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${dir}/b; proxy_temp_path ${dir}/p; fastcgi_temp_path ${dir}/f;
  uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
  keepalive_requests 1000000;
  map $http_upgrade $connection_of_app { default "upgrade"; "" ""; }
  upstream app { server ${app.host}; keepalive 512; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://app; proxy_http_version 1.1; proxy_buffering off;
      proxy_set_header Connection $connection_of_app; proxy_set_header Upgrade $http_upgrade;
    }
  }
}`,
  );
  const nginx = spawn('nginx', ['-c', join(dir, 'nginx.conf'), '-p', dir], { stdio: 'ignore' });
  const url = new URL(`http://127.0.0.1:${port}/`);
  while (!(await fetch(url).catch(() => null))?.ok) await delay(20);
  return {
    target: { url, headers: {} },
    pidFile: join(dir, 'pid'),
    async [Symbol.asyncDispose]() {
      nginx.kill();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/**
 * A service through a gateway on the server's machine and through nginx alone, beside direct requests to
 * the same app, in one run. Needs nginx.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';
import { jobProgram } from '@dstack/testkit/job-programs';
import { freePort } from '../e2e/serving.ts';
import { installation, root } from './installation.ts';
import { print } from './measure.ts';
import { appUrl, type Target } from './proxy.ts';
import { measured, printWays, type Ways } from './proxy-table.ts';
import { throughNginx } from './proxy-workers.ts';
import { applyFleet, submit } from './runs.ts';
import { residentMb } from './server-start.ts';

export async function gateway(): Promise<void> {
  const ways: Ways = new Map();
  for (const engine of ['workers', 'nginx'] as const) await measure(engine, ways);
  printWays('gateway', ways);
}

interface Served {
  readonly through: Target;
  /** The app itself. */
  readonly own: Target;
  /** Of the gateway's processes, while they run. */
  readonly folder: () => string;
}

/** Starts a service behind a gateway, for as long as `use` takes. */
export async function withGateway(
  engine: 'workers' | 'nginx',
  use: (served: Served) => Promise<void>,
): Promise<void> {
  const port = await freePort();
  const home = installation({
    DSTACK_GATEWAY_HTTP_PORT: String(port),
    DSTACK_GATEWAY_PROXY: engine,
  });
  try {
    await home.startServer();
    await applyFleet(home, '0..2');
    const yaml =
      "type: gateway\nname: edge\nbackend: remote\nregion: local\ndomain: '*.apps.test'\ncertificate: null\n";
    writeFileSync(join(home.home, 'edge.yml'), yaml);
    await home.ok('apply', '-f', 'edge.yml', '-y');
    await submit(home, 'app', {
      ...{ type: 'service', port: 8000, https: false },
      commands: [`exec ${jobProgram(join(root, 'e2e', 'service-app.ts'))}`],
    });
    const headers = { host: 'app.apps.test', authorization: `Bearer ${home.token()}` };
    await use({
      through: { url: new URL(`http://127.0.0.1:${port}/`), headers },
      own: { url: await runningApp(home), headers: {} },
      folder: () => runtimeFolder(port),
    });
  } finally {
    await home.ok('gateway', 'delete', 'edge', '-y', '--force').catch(() => {});
    await home.dispose();
  }
}

async function measure(engine: 'workers' | 'nginx', ways: Ways): Promise<void> {
  await withGateway(engine, async ({ through, own }) => {
    ways.set(`gateway, ${engine}`, await measured(through));
    if (engine === 'nginx') {
      ways.set('direct', await measured(own));
      ways.set('nginx', await throughNginx(own.url));
    }
    const pids = execFileSync('pgrep', ['-f', `${join(root, 'dist')}/agent/gateway`]).toString();
    const memory = pids
      .trim()
      .split('\n')
      .map((pid) => residentMb(Number(pid)));
    const value = memory.join(', ');
    print({ name: `gateway, ${engine}: memory of program and workers`, unit: 'MB', value });
  });
}

/** Where nginx of the gateway that has this port runs. */
function runtimeFolder(port: number): string {
  const found = readdirSync('/run')
    .map((name) => join('/run', name))
    .find((folder) => {
      const file = join(folder, 'nginx.conf');
      return existsSync(file) && readFileSync(file, 'utf8').includes(`:${port} `);
    });
  if (found === undefined) throw new Error(`no nginx of a gateway has the port ${port}`);
  return found;
}

/** The app itself, once it listens. */
async function runningApp(home: Installation): Promise<URL> {
  for (;;) {
    const run = await home.api<{ latest_job_submission: { id: string } | null }>(
      '/api/project/main/runs/get',
      { run_name: 'app' },
    );
    const url = run.latest_job_submission && appUrl(run.latest_job_submission.id);
    if (url && (await fetch(url).catch(() => null))?.ok) return url;
    await delay(50);
  }
}

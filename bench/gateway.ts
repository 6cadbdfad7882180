/**
 * A service through a gateway on the server's machine and through nginx alone, beside direct requests to
 * the same app, in one run. Needs nginx.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
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

async function measure(engine: 'workers' | 'nginx', ways: Ways): Promise<void> {
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
    const through: Target = { url: new URL(`http://127.0.0.1:${port}/`), headers };
    const own: Target = { url: await runningApp(home), headers: {} };
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
  } finally {
    await home.ok('gateway', 'delete', 'edge', '-y', '--force').catch(() => {});
    await home.dispose();
  }
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

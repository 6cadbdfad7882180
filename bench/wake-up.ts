/**
 * The first request to a service without replicas, until its answer: plain, for a model, and by a WebSocket;
 * beside the app's own start, which is the floor.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';
import { jobProgram } from '@dstack/testkit/job-programs';
import { WebSocket } from 'ws';
import { installation, root } from './installation.ts';
import { print, summary } from './measure.ts';
import { applyFleet } from './runs.ts';

const ROUNDS = 10;
const APP = jobProgram(join(root, 'e2e', 'service-app.ts'));
/** On which no job listens. */
const ADDRESS = '127.0.0.99';

export async function wakeUp(): Promise<void> {
  const home = installation();
  try {
    await home.startServer();
    await applyFleet(home, '0..1');
    const kinds = {
      request: { more: {}, ask: () => get(home) },
      model: { more: { model: 'sleeper' }, ask: () => chat(home) },
      WebSocket: { more: {}, ask: () => openSocket(home) },
    };
    for (const [kind, { more, ask }] of Object.entries(kinds)) {
      const [floor, woken]: number[][] = [[], []];
      // The first start of each fills the caches.
      for (let round = 0; round <= ROUNDS; round++) {
        const own = await timed(bareStart);
        await asleep(home, more);
        const whole = await timed(ask);
        if (round === 0) continue;
        floor?.push(own);
        woken?.push(whole);
      }
      const [bare, whole] = [summary(floor ?? []), summary(woken ?? [])];
      print({
        name: `wake-up from zero replicas: ${kind}`,
        unit: 'ms',
        app_p50: bare.p50,
        app_p95: bare.p95,
        woken_p50: whole.p50,
        woken_p95: whole.p95,
        beyond_p50: Math.round((whole.p50 - bare.p50) * 10) / 10,
        n: whole.n,
      });
      await home.ok('stop', 'sleeper', '-y', '--wait');
    }
  } finally {
    await home.dispose();
  }
}

async function timed(act: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}

/** The app without anything around it, until its first answer. */
async function bareStart(): Promise<void> {
  const env = { ...process.env, DSTACK_LISTEN_ADDRESS: ADDRESS };
  const app = spawn('sh', ['-c', `exec ${APP}`], { env, stdio: 'ignore' });
  for (;;) {
    const answer = await fetch(`http://${ADDRESS}:8000/`).catch(() => null);
    await answer?.arrayBuffer();
    if (answer?.ok) break;
    await delay(1);
  }
  app.kill('SIGKILL');
  await once(app, 'exit');
}

/** A service without a replica that has run before. */
async function asleep(home: Installation, more: object): Promise<void> {
  const service = {
    ...{ type: 'service', port: 8000, commands: [`exec ${APP}`], ...more },
  };
  await apply(home, { ...service, replicas: 0 });
  for (;;) {
    const { jobs } = await home.api<Run>('/api/project/main/runs/get', { run_name: 'sleeper' });
    const latest = jobs.map((job) => job.job_submissions.at(-1)?.status ?? '');
    if (latest.every((status) => ENDED.has(status))) break;
    await delay(20);
  }
  const scaling = { metric: 'rps', target: 1 };
  await apply(home, { ...service, replicas: '0..1', scaling });
}

/** Over the present configuration, whatever it is. */
async function apply(home: Installation, configuration: object): Promise<void> {
  const named = { name: 'sleeper', resources: { gpu: 0 }, ...configuration };
  await home.api('/api/project/main/runs/apply', {
    plan: { run_spec: { run_name: 'sleeper', configuration: named }, current_resource: null },
    force: true,
  });
}

interface Run {
  readonly jobs: readonly {
    readonly job_submissions: readonly { readonly status: string }[];
  }[];
}

const ENDED = new Set(['terminated', 'done', 'failed', 'aborted', '']);

const headers = (home: Installation) => ({ authorization: `Bearer ${home.token()}` });

async function get(home: Installation): Promise<void> {
  const answer = await fetch(`${home.url}/proxy/services/main/sleeper/`, {
    headers: headers(home),
  });
  await checked(answer);
}

async function chat(home: Installation): Promise<void> {
  const messages = [{ role: 'user', content: 'good morning' }];
  const answer = await fetch(`${home.url}/proxy/models/main/v1/chat/completions`, {
    ...{ method: 'POST', headers: headers(home) },
    body: JSON.stringify({ model: 'sleeper', messages }),
  });
  await checked(answer);
}

async function checked(answer: Response): Promise<void> {
  const text = await answer.text();
  if (!answer.ok) throw new Error(`the service was not woken: ${answer.status} ${text}`);
}

async function openSocket(home: Installation): Promise<void> {
  const address = `${home.url.replace('http', 'ws')}/proxy/services/main/sleeper/`;
  const socket = new WebSocket(address, { headers: headers(home) });
  await once(socket, 'open');
  socket.terminate();
}

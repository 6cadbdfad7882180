/**
 * A gateway on the server's machine with certificates of a test authority: how long a service waits for its
 * first answer by TLS, and what requests see while processes are killed. Needs nginx and Pebble.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';
import { startAuthority } from '@dstack/testkit/certificate-authority';
import { jobProgram } from '@dstack/testkit/job-programs';
import { freePort } from '../e2e/serving.ts';
import { installation, root } from './installation.ts';
import { print, summary } from './measure.ts';
import { applyFleet, submit } from './runs.ts';

const SERVICES = 5;
/** Load before and after each kill, in milliseconds. */
const BEFORE_MS = 1000;
const AFTER_MS = 6000;
const CLIENTS = 8;

interface Gateway {
  readonly home: Installation;
  readonly port: number;
  readonly ca: string;
}

export async function gatewayFaults(): Promise<void> {
  const ports = {
    ...{ http: await freePort(), https: await freePort() },
    ...{ acme: await freePort(), dns: await freePort() },
  };
  const authority = await startAuthority(ports);
  const home = installation({
    DSTACK_GATEWAY_HTTP_PORT: String(ports.http),
    DSTACK_GATEWAY_HTTPS_PORT: String(ports.https),
    DSTACK_GATEWAY_DNS: `127.0.0.1:${ports.dns}`,
    DSTACK_ACME_SERVER: `https://localhost:${ports.acme}/dir`,
    DSTACK_ACME_CA_FILE: authority.ca,
    ...authority.account,
  });
  try {
    await home.startServer();
    await applyFleet(home, '0..8');
    const yaml =
      "type: gateway\nname: edge\nbackend: remote\nregion: local\ndomain: '*.apps.test'\ncertificate: {type: lets-encrypt}\n";
    writeFileSync(join(home.home, 'edge.yml'), yaml);
    await home.ok('apply', '-f', 'edge.yml', '-y');
    const gateway = { home, port: ports.https, ca: await authority.roots() };
    await firstAnswers(gateway);
    await faults(gateway);
  } finally {
    await home.ok('gateway', 'delete', 'edge', '-y', '--force').catch(() => {});
    await home.dispose();
    await authority.stop();
  }
}

async function firstAnswers(gateway: Gateway): Promise<void> {
  const whole: number[] = [];
  const afterIssue: number[] = [];
  for (let n = 0; n < SERVICES; n++) {
    const name = `app${n}`;
    await submit(gateway.home, name, service(1));
    const published = performance.now();
    const issued = untilIssued(gateway.home, `${name}.apps.test`);
    while ((await ask(gateway, name).catch(() => 0)) !== 200) await delay(5);
    const answered = performance.now();
    whole.push(answered - published);
    afterIssue.push(Math.max(0, answered - (await issued)));
    if (n > 0) await gateway.home.ok('stop', name, '-y');
  }
  const unit = 'ms';
  print({ name: 'gateway: submit to first answer by TLS', unit, ...summary(whole) });
  print({ name: 'gateway: certificate on disk to first answer', unit, ...summary(afterIssue) });
}

/** When the file appears that nginx reads. */
async function untilIssued(home: Installation, name: string): Promise<number> {
  const file = join(stateOf(home), 'certificates', `${name}.pem`);
  for (;;) {
    try {
      readFileSync(file);
      return performance.now();
    } catch {
      await delay(2);
    }
  }
}

async function faults(gateway: Gateway): Promise<void> {
  const { home } = gateway;
  await home.ok('stop', 'app0', '-y');
  await submit(home, 'app', service(2));
  while ((await ask(gateway, 'app').catch(() => 0)) !== 200) await delay(50);
  while (appsOf().length < 2) await delay(50);
  const kill = (pid: number) => void process.kill(pid, 'SIGKILL');
  const agent = join(root, 'dist', 'agent');
  const killOne = (pattern: string) => kill(pidsOf(pattern)[0] ?? 0);
  const victims: readonly (readonly [string, () => Promise<void> | void])[] = [
    ['one of two replicas', () => kill(appsOf()[0] ?? 0)],
    ['a worker of the gateway', () => killOne(join(agent, 'gateway-worker.js'))],
    ['the program of the gateway', () => killOne(`${join(agent, 'gateway.js')} --state`)],
    ['the master process of nginx', () => kill(nginxOf(home))],
    ['a worker of nginx', () => killOne(`-P ${nginxOf(home)}`)],
    [
      'the server',
      async () => {
        await home.stopServer('SIGKILL');
        await home.startServer();
      },
    ],
  ];
  for (const [name, fault] of victims) {
    const load = startLoad(gateway);
    await delay(BEFORE_MS);
    await fault();
    await delay(AFTER_MS);
    const { answered, failed, longest } = await load();
    const why = [...new Set(failed)].join(', ') || null;
    print({
      ...{ name: `gateway: kill -9 of ${name}`, unit: 'requests' },
      ...{ answered, failed: failed.length, 'longest ms': Math.round(longest), why },
    });
    while (appsOf().length < 2) await delay(50);
  }
}

function startLoad(gateway: Gateway) {
  const counts = { answered: 0, failed: [] as string[], longest: 0 };
  let isOver = false;
  const loops = Array.from({ length: CLIENTS }, async () => {
    while (!isOver) {
      const began = performance.now();
      const failure = await ask(gateway, 'app').then(
        (status) => (status === 200 ? null : String(status)),
        (error: NodeJS.ErrnoException) => error.code ?? error.message,
      );
      counts.longest = Math.max(counts.longest, performance.now() - began);
      if (failure === null) counts.answered += 1;
      else counts.failed.push(failure);
    }
  });
  return async () => {
    isOver = true;
    await Promise.all(loops);
    return counts;
  };
}

/** Over a connection of its own; the status of the answer. */
function ask({ home, port, ca }: Gateway, run: string): Promise<number> {
  const servername = `${run}.apps.test`;
  const headers = { host: servername, authorization: `Bearer ${home.token()}` };
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path: '/', ca, servername, headers };
    const sent = request({ ...options, agent: false as const, timeout: 20_000 }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
      response.on('error', reject);
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer for 20 s')));
    sent.on('error', reject);
    sent.end();
  });
}

function service(replicas: number) {
  const commands = [`exec ${jobProgram(join(root, 'e2e', 'service-app.ts'))}`];
  return { type: 'service', port: 8000, https: 'auto', retry: true, replicas, commands };
}

const appsOf = (): number[] => pidsOf(join(root, 'e2e', 'service-app.ts'));

function stateOf(home: Installation): string {
  const all = join(home.serverDir, 'agent', 'gateways');
  return join(all, readdirSync(all)[0] ?? '');
}

function nginxOf(home: Installation): number {
  const id = stateOf(home).split('/').at(-1)?.slice(0, 8);
  return pidsOf(`nginx: master process .*-gw-${id}/`)[0] ?? 0;
}

/** By their command lines, or with `-P` the children of a process. */
function pidsOf(pattern: string): number[] {
  const how = pattern.startsWith('-P ') ? pattern.split(' ') : ['-f', pattern];
  try {
    return execFileSync('pgrep', how).toString().trim().split('\n').map(Number);
  } catch {
    return [];
  }
}

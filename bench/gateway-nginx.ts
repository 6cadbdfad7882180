/**
 * A gateway whose nginx answers requests itself, in turns with nginx and HAProxy alone in front of the same app, so
 * that all of them have the same share of a computer that is never quite quiet. Medians of the rounds. Needs nginx;
 * HAProxy is measured where it is installed.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../e2e/serving.ts';
import { usage } from './at-rest.ts';
import { withGateway } from './gateway.ts';
import { percentile, print } from './measure.ts';
import { load, paced, type Target } from './proxy.ts';
import { startNginx } from './proxy-workers.ts';

const ROUNDS = 5;
const SECONDS = 2;
const CONNECTIONS = [1, 64, 512];
/** Requests a second, far below what any of them can do. */
const PACES = [200, 1000];
const PROCESSES = 2;

interface Way {
  readonly name: string;
  readonly target: Target;
  /** Processes that have the connections. */
  readonly pids: () => readonly number[];
}

interface Round {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpuUs: number;
}

export async function gatewayNginx(): Promise<void> {
  await withGateway('nginx', async ({ own, through, folder }) => {
    await using nginx = await startNginx(own.url, PROCESSES);
    await using haproxy = await startHaproxy(own.url);
    const ways: Way[] = [
      { name: 'gateway', target: through, pids: () => childrenOf(join(folder(), 'nginx.pid')) },
      { name: 'nginx', target: nginx.target, pids: () => childrenOf(nginx.pidFile) },
      ...(haproxy ? [{ name: 'HAProxy', target: haproxy.target, pids: () => [haproxy.pid] }] : []),
    ];
    for (const connections of CONNECTIONS) {
      const one = ({ target }: Way) => load(target, connections, SECONDS);
      await compare(ways, `${connections} connections`, one);
    }
    for (const pace of PACES) {
      await compare(ways, `${pace} requests/s`, ({ target }) => paced(target, pace, SECONDS));
    }
  });
}

async function compare(
  ways: readonly Way[],
  what: string,
  measure: (way: Way) => Promise<number[]>,
): Promise<void> {
  const rounds = new Map(ways.map((way) => [way, [] as Round[]]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [way, done] of rounds) {
      await load(way.target, 16, 0.3);
      const pids = way.pids();
      const cpu = () => pids.reduce((sum, pid) => sum + usage(pid).cpuMs, 0);
      const before = cpu();
      const samples = await measure(way);
      const us = (p: number) => Math.round(percentile(samples, p) * 1000);
      const cpuUs = Math.round(((cpu() - before) * 1000) / samples.length);
      done.push({ rate: samples.length / SECONDS, p50: us(50), p99: us(99), cpuUs });
    }
  }
  const medians = new Map([...rounds].map(([{ name }, done]) => [name, medianOf(done)]));
  const floor = medians.get('nginx')?.rate ?? Number.NaN;
  for (const [name, figures] of medians) {
    const ratio = Math.round((figures.rate / floor) * 100) / 100;
    print({ name: `${name}, ${what}`, unit: 'requests/s, µs', ...figures, ratio });
  }
}

function medianOf(rounds: readonly Round[]): Round {
  const of = (key: keyof Round) =>
    Math.round(
      percentile(
        rounds.map((round) => round[key]),
        50,
      ),
    );
  return { rate: of('rate'), p50: of('p50'), p99: of('p99'), cpuUs: of('cpuUs') };
}

const childrenOf = (pidFile: string): number[] =>
  execFileSync('pgrep', ['-P', readFileSync(pidFile, 'utf8').trim()])
    .toString()
    .trim()
    .split('\n')
    .map(Number);

/** Undefined where it is not installed. */
async function startHaproxy(app: URL) {
  try {
    execFileSync('haproxy', ['-v'], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  const dir = mkdtempSync(join(tmpdir(), 'dstack-haproxy-'));
  const port = await freePort();
  writeFileSync(
    join(dir, 'haproxy.cfg'),
    `global
  nbthread ${PROCESSES}
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend clients
  bind 127.0.0.1:${port}
  default_backend app
backend app
  server app ${app.host}
`,
  );
  const process = spawn('haproxy', ['-db', '-f', join(dir, 'haproxy.cfg')], { stdio: 'ignore' });
  const url = new URL(`http://127.0.0.1:${port}/`);
  while (!(await fetch(url).catch(() => null))?.ok) await delay(20);
  return {
    target: { url, headers: {} },
    pid: process.pid ?? 0,
    async [Symbol.asyncDispose]() {
      process.kill();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

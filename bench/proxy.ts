/**
 * A service through the proxy in the server's own process, compared with direct requests to the same app: throughput
 * and latency.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { jobProgram } from '@dstack/testkit/job-programs';
import { installation, root } from './installation.ts';
import { percentile, print } from './measure.ts';
import { applyFleet, submit } from './runs.ts';
import { residentMb } from './server-start.ts';

const SECONDS = 5;
const CALLERS = 32;
const UPLOAD = 256 * 1024 * 1024;

export interface Target {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
}

export async function proxy(): Promise<void> {
  const home = installation({ DSTACK_SERVER_PROXY_WORKERS: '0' });
  try {
    await home.startServer();
    await applyFleet(home, '0..2');
    await submit(home, 'app', {
      type: 'service',
      port: 8000,
      commands: [`exec ${jobProgram(join(root, 'e2e', 'service-app.ts'))}`],
    });
    const through: Target = {
      url: new URL('/proxy/services/main/app/', home.url),
      headers: { authorization: `Bearer ${home.token()}` },
    };
    const direct: Target = { url: await ownAddress(through), headers: {} };
    for (const callers of [1, CALLERS]) await compare(direct, through, callers);
    await comparePassage(direct, through);
    print({ name: 'proxy: memory of the server', unit: 'MB', value: residentMb(home.serverPid) });
  } finally {
    await home.dispose();
  }
}

/** The address where the app itself listens, as the agent reported it. */
export async function ownAddress({ url, headers }: Target): Promise<URL> {
  for (;;) {
    const answer = await fetch(url, { headers });
    if (answer.status === 200) {
      const { job } = (await answer.json()) as { job: string };
      return appUrl(job);
    }
    await answer.arrayBuffer();
    await delay(50);
  }
}

export function appUrl(job: string): URL {
  const [a = 0, b = 0, c = 0] = createHash('sha256').update(job).digest();
  return new URL(`http://127.${64 + (a % 64)}.${b}.${1 + (c % 254)}:8000/`);
}

async function compare(direct: Target, through: Target, callers: number): Promise<void> {
  await load(through, callers, 1);
  const [own, proxied] = [
    await load(direct, callers, SECONDS),
    await load(through, callers, SECONDS),
  ];
  const us = (samples: readonly number[], p: number) => Math.round(percentile(samples, p) * 1000);
  print({
    name: `proxy: answers of 1 KiB, ${callers} at a time`,
    unit: 'requests/s, µs',
    direct: Math.round(own.length / SECONDS),
    proxied: Math.round(proxied.length / SECONDS),
    ratio: Math.round((proxied.length / own.length) * 100) / 100,
    direct_p50: us(own, 50),
    added_p50: us(proxied, 50) - us(own, 50),
    added_p95: us(proxied, 95) - us(own, 95),
    proxied_p99: us(proxied, 99),
  });
}

async function comparePassage(direct: Target, through: Target): Promise<void> {
  const rate = async ({ url, headers }: Target) => {
    const started = performance.now();
    const body = Buffer.alloc(UPLOAD);
    const answer = await fetch(new URL('upload', url), { method: 'POST', headers, body });
    await answer.text();
    return Math.round(UPLOAD / 1e6 / ((performance.now() - started) / 1000));
  };
  const [own, proxied] = [await rate(direct), await rate(through)];
  const ratio = Math.round((proxied / own) * 100) / 100;
  print({ name: 'proxy: upload', unit: 'MB/s', direct: own, proxied, ratio });
}

/** Connections for a fixed pace: enough that a request seldom waits for one. */
const PACED_CALLERS = 16;

/**
 * Latency in milliseconds of so many requests a second, each from the moment at which it was due, so that one that is
 * slow does not hide those behind it.
 */
export async function paced(target: Target, perSecond: number, seconds: number): Promise<number[]> {
  const delays: number[] = [];
  const interval = (PACED_CALLERS / perSecond) * 1000;
  const start = performance.now();
  const end = start + seconds * 1000;
  const call = async (caller: number) => {
    const { socket, request } = await openCaller(target);
    let due = start + (caller / PACED_CALLERS) * interval;
    let received = '';
    socket.on('data', (chunk: string) => {
      received += chunk;
      if (!isWhole(received)) return;
      delays.push(performance.now() - due);
      received = '';
      due += interval;
      if (due >= end) return void socket.end();
      setTimeout(() => socket.write(request), Math.max(0, due - performance.now()));
    });
    await delay(Math.max(0, due - performance.now()));
    socket.write(request);
    await once(socket, 'close');
  };
  await Promise.all(Array.from({ length: PACED_CALLERS }, (_, caller) => call(caller)));
  return delays;
}

/** A connection, and the request to send over it. */
async function openCaller({ url, headers }: Target) {
  const { host = url.host, ...others } = headers;
  const lines = Object.entries(others).map(([name, value]) => `${name}: ${value}\r\n`);
  const request = `GET ${url.pathname}kilobyte HTTP/1.1\r\nhost: ${host}\r\n${lines.join('')}\r\n`;
  const socket = connect(Number(url.port), url.hostname).setNoDelay(true).setEncoding('latin1');
  await once(socket, 'connect');
  return { socket, request };
}

/**
 * Latency in milliseconds of requests that each caller sends one after the other over its own
 * connection. Written directly to sockets: a client library would dominate the measurement.
 */
export async function load(target: Target, callers: number, seconds: number): Promise<number[]> {
  const delays: number[] = [];
  const end = performance.now() + seconds * 1000;
  const call = async () => {
    const { socket, request } = await openCaller(target);
    let started = performance.now();
    let received = '';
    socket.on('data', (chunk: string) => {
      received += chunk;
      if (!isWhole(received)) return;
      const now = performance.now();
      delays.push(now - started);
      if (now >= end) return void socket.end();
      received = '';
      started = now;
      socket.write(request);
    });
    socket.write(request);
    await once(socket, 'close');
  };
  await Promise.all(Array.from({ length: callers }, call));
  return delays;
}

/** The app returns 1024 times `x`, with a content length or as one chunk. */
function isWhole(received: string): boolean {
  if (!received.startsWith('HTTP/1.1 200')) throw new Error(received.slice(0, 300));
  const last = received.trimEnd();
  return last.endsWith('\r\n0') || (/x{1024}$/.test(last) && /content-length/i.test(received));
}

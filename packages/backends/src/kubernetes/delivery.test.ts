import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { AgentProgram } from '../base/programs.ts';
import type { Cluster } from './cluster.ts';
import { Deliveries } from './delivery.ts';

const STDERR = 2;
const STATUS = 3;

let server: WebSocketServer;
/** Commands under way: each ends when it is called. */
let running: ((status: string, error?: string) => void)[];
let received: number;
let opened: Readable[];
let isReachable: boolean;
beforeEach(() => {
  running = [];
  isReachable = true;
  received = 0;
  opened = [];
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (socket) => {
    socket.on('message', (bytes: Buffer) => {
      received += bytes.length - 1;
    });
    running.push((status, error = '') => {
      socket.send(Buffer.concat([Buffer.of(STDERR), Buffer.from(error)]));
      socket.send(Buffer.concat([Buffer.of(STATUS), Buffer.from(JSON.stringify({ status }))]));
    });
  });
});
afterEach(() => {
  for (const socket of server.clients) socket.terminate();
  server.close();
});

const program = (name: string, size: number, pieces = 2): AgentProgram => ({
  ...{ name, size },
  open: () => {
    const source = Readable.from(Array.from({ length: pieces }, () => Buffer.alloc(size / pieces)));
    opened.push(source);
    return source;
  },
});

const deliveries = () =>
  new Deliveries({
    node: async () => program('node', 6e6),
    libraries: async () => program('libraries', 2e6),
    agent: async () => program('agent', 1e6),
  });

async function cluster(): Promise<Cluster> {
  if (server.address() === null) await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    ...{ region: '', namespace: 'default' },
    client: {
      call: async () => ({ status: { nodeInfo: { architecture: 'amd64' } } }),
      socket: async () => {
        if (!isReachable) throw new Error('no way to the cluster');
        return new WebSocket(`ws://127.0.0.1:${port}`);
      },
    },
  } as unknown as Cluster;
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

it('its parts are copied together, and how much of them has been sent is shown', async () => {
  const of = deliveries();
  const to = await cluster();
  const look = () => of.progress(to, 'pod', 'node-1', () => {});
  expect(look()).toEqual({ kind: 'copying', text: 'Installing the agent' });
  await until(() => running.length === 3 && received === 9e6);
  expect(look()).toEqual({ kind: 'copying', text: 'Installing the agent (9 of 9 MB)' });
  for (const end of running) end('Success');
  await until(() => look().kind !== 'copying');
  expect(look()).toEqual({ kind: 'done' });
  expect(running).toHaveLength(3);
});

it('its end is reported', async () => {
  const reports: string[] = [];
  const of = deliveries();
  const to = await cluster();
  const look = (): string => of.progress(to, 'pod', 'node-1', () => reports.push(look())).kind;
  look();
  await until(() => running.length === 3);
  for (const end of running) end('Success');
  await until(() => reports.at(-1) === 'done');
});

it('a slow copy is reported ten times at most, since each report costs passes of the server', async () => {
  let now = 0;
  const slow = async (name: string) => program(name, 3e6, 100);
  const of = new Deliveries(
    { node: () => slow('node'), libraries: () => slow('libraries'), agent: () => slow('agent') },
    () => (now += 1000),
  );
  const to = await cluster();
  const texts = new Set<string>();
  let reports = 0;
  const look = () => of.progress(to, 'pod', 'node-1', onChange);
  const onChange = () => {
    const seen = look();
    reports += 1;
    if (seen.kind === 'copying') texts.add(seen.text);
  };
  look();
  await until(() => running.length === 3 && received === 9e6);
  expect(reports).toBeGreaterThan(5);
  expect(reports).toBeLessThanOrEqual(10);
  expect(texts.size).toBe(reports);
});

it('it has failed with what the command has reported, and no file stays open', async () => {
  const of = deliveries();
  const to = await cluster();
  const look = () => of.progress(to, 'pod', 'node-1', () => {});
  look();
  await until(() => running.length === 3);
  for (const end of running) end('Failure', 'the image has no tar');
  await until(() => look().kind !== 'copying');
  expect(look()).toMatchObject({
    kind: 'failed',
    error: { message: 'exec in pod pod: the image has no tar' },
  });
  await until(() => opened.every((source) => source.destroyed));
});

it('it has failed without a way to the pod, and no file stays open', async () => {
  const of = deliveries();
  const to = await cluster();
  isReachable = false;
  const look = () => of.progress(to, 'pod', 'node-1', () => {});
  look();
  await until(() => look().kind !== 'copying');
  expect(look()).toMatchObject({ kind: 'failed', error: { message: 'no way to the cluster' } });
  await until(() => opened.length === 3 && opened.every((source) => source.destroyed));
});

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it, vi } from 'vitest';
import { KubeClient } from './client.ts';
import { ClusterClock } from './cluster-clock.ts';

const TIME = Date.parse('2026-11-24T10:00:00Z');

afterEach(() => void vi.useRealTimers());

it('is the clock of the cluster, whatever the clock of this host is set to', () => {
  vi.useFakeTimers({ now: TIME + 3_600_000 });
  const clock = new ClusterClock();
  expect(clock.now()).toBe(TIME + 3_600_000);
  clock.read(new Date(TIME).toUTCString());
  vi.advanceTimersByTime(5000);
  vi.setSystemTime(0);
  clock.read(undefined);
  clock.read('soon');
  expect(clock.now()).toBe(TIME + 5000);
});

it('is read from each answer of the API', async () => {
  const server = createServer((_request, response) => {
    response.setHeader('date', new Date(TIME).toUTCString());
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const credential = async () => ({ authorization: null, cert: null, key: null });
  const client = new KubeClient({
    ...{ context: 'test', server: new URL(`http://127.0.0.1:${port}`), credential },
    ...{ ca: null, verifies: true, serverName: null },
  } as never);
  await client.call({ path: '/' });
  expect(Math.abs(client.clock.now() - TIME)).toBeLessThan(60_000);
  client.close();
  server.close();
});

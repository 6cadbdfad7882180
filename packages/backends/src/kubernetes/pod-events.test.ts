import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { KubeClient } from './api/client.ts';
import { readKubeconfig } from './api/kubeconfig.ts';
import { PodEvents } from './pod-events.ts';

let server: Server;
let events: PodEvents;
let client: KubeClient;

afterEach(() => {
  events.close();
  client.close();
  server.closeAllConnections();
  server.close();
});

const event = (name: string, pod: string, reason: string, fieldPath?: string) => ({
  metadata: { name, namespace: 'jobs', resourceVersion: '2' },
  ...{ reason, type: 'Normal', involvedObject: { name: pod, uid: 'u', fieldPath } },
});

/** Lists nothing, then watches these events. */
async function open(watched: readonly object[], onNews: (pod: string) => void) {
  server = createServer((request, response) => {
    const isWatch = new URL(request.url ?? '', 'http://api').searchParams.has('watch');
    if (!isWatch) {
      response.end(JSON.stringify({ metadata: { resourceVersion: '1' }, items: [] }));
      return;
    }
    response.flushHeaders();
    for (const object of watched) response.write(`${JSON.stringify({ type: 'ADDED', object })}\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const file = {
    clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}` } }],
    users: [{ name: 'u', user: {} }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
  };
  client = new KubeClient(readKubeconfig(JSON.stringify(file)).context('c'));
  const isOurs = (pod: string) => pod.startsWith('dstack-');
  events = new PodEvents({ client, path: '/events', isOurs, onNews });
}

it('report at once that the container of a job has started, and keep only events of our pods', async () => {
  const news: string[] = [];
  const started = Promise.withResolvers<void>();
  await open(
    [
      event('1', 'other', 'Started', 'spec.containers{job}'),
      event('2', 'dstack-a', 'Created', 'spec.containers{job}'),
      event('3', 'dstack-a', 'Started', 'spec.initContainers{agent}'),
      event('4', 'dstack-a', 'Started', 'spec.containers{job}'),
    ],
    (pod) => {
      news.push(pod);
      started.resolve();
    },
  );
  expect(events.of('dstack-a')).toBeNull();
  await started.promise;
  expect(news).toEqual(['dstack-a']);
  expect(events.of('dstack-a')?.map(({ metadata }) => metadata.name)).toEqual(['2', '3', '4']);
  expect(events.of('other')).toEqual([]);
});

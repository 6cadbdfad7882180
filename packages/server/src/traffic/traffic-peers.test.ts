import { EventEmitter } from 'node:events';
import type { CountedPeers } from '@dstack/store';
import { expect, it } from 'vitest';
import { sumOfParts, type TrafficPart } from './traffic-part.ts';
import { TrafficPeers } from './traffic-peers.ts';

const SERVICE = { runId: 'run', projectName: 'main', runName: 'web', gatewayId: null };

function part(source: string, more: Partial<TrafficPart> = {}): TrafficPart {
  return {
    ...{ runId: 'run', source, isLive: true, answered: { '2xx': 2 }, inFlight: 1, held: 0 },
    recent: { seconds: 55, requests: 2, errors: 0, buckets: [[3, 2]] },
    ...{ knowsReplicas: true, model: null },
    replicas: [{ jobId: 'job', inFlight: 1, avoided: null, recent: null }],
    ...more,
  };
}

/** A server of a database with `others` more, which may not all answer. */
function server(database: EventEmitter, parts: readonly TrafficPart[], others = 1) {
  const peers: CountedPeers = {
    send: (texts) => {
      for (const text of texts) {
        expect(Buffer.byteLength(text)).toBeLessThan(7900);
        database.emit('text', text, peers);
      }
    },
    subscribe: (listener) => {
      const onText = (text: string, from: CountedPeers) => from !== peers && listener(text);
      database.on('text', onText);
      return () => database.off('text', onText);
    },
    others: async () => others,
  };
  return new TrafficPeers(peers, (asked) =>
    parts.filter(({ runId }) => asked.some((one) => one.runId === runId)),
  );
}

it('the requests that all servers have counted are added up', async () => {
  const database = new EventEmitter();
  const one = server(database, [part('one')]);
  server(database, [part('two', { answered: { '2xx': 5, '5xx': 1 } })]);
  const { parts, servers, missing } = await one.gather([SERVICE], true);
  expect([servers, missing]).toEqual([2, 0]);
  expect(sumOfParts(parts)).toEqual({
    recent: { seconds: 55, requests: 4, errors: 0, buckets: [[3, 4]] },
    ...{ answered: { '2xx': 7, '5xx': 1 }, inFlight: 2, held: 0 },
    ...{ knowsReplicas: true, model: null },
    replicas: [{ jobId: 'job', inFlight: 2, avoided: null, recent: null }],
  });
});

it('a server that does not answer is missing, and one without requests is not', async () => {
  const database = new EventEmitter();
  const one = server(database, [part('one')], 2);
  server(database, []);
  expect(await one.gather([SERVICE], true)).toMatchObject({ servers: 3, missing: 1 });
});

it('long answers and questions about many services come in pieces', async () => {
  const database = new EventEmitter();
  const names = Array.from({ length: 100 }, (_, n) => `run-${n}`);
  const replicas = Array.from({ length: 300 }, (_, n) => ({
    ...{ jobId: `job-${n}`, inFlight: 1, avoided: null, recent: null },
  }));
  const one = server(database, []);
  server(
    database,
    names.map((runId) => part('two', { runId, replicas: runId === 'run-7' ? replicas : [] })),
  );
  const asked = names.map((runId) => ({
    ...{ runId, projectName: 'p'.repeat(50), runName: 'r'.repeat(41), gatewayId: 'g'.repeat(36) },
  }));
  const { parts, missing } = await one.gather(asked, true);
  expect([parts.length, missing]).toEqual([100, 0]);
  expect(parts.find(({ runId }) => runId === 'run-7')?.replicas).toEqual(replicas);
});

it('other messages, and answers to other servers, change nothing', async () => {
  const database = new EventEmitter();
  const one = server(database, [part('one')], 0);
  for (const data of ['{}', 'no JSON', '[1]']) {
    const answer = { type: 'traffic-of', reader: 'r', server: 's', piece: 0, pieces: 1, data };
    database.emit('text', JSON.stringify(answer), null);
  }
  database.emit('text', '{"type":"traffic"}', null);
  expect(await one.gather([SERVICE], true)).toMatchObject({ servers: 1, missing: 0 });
});

it('a replica of a gateway counts once, with the counts of the server that is connected to it', () => {
  const old = part('replica', { isLive: false, inFlight: 0, answered: { '2xx': 9 } });
  const now = part('replica', { answered: { '2xx': 4 } });
  expect(sumOfParts([old, now])).toMatchObject({ answered: { '2xx': 4 }, inFlight: 1 });
  expect(sumOfParts([now, old])).toMatchObject({ answered: { '2xx': 4 }, inFlight: 1 });
  // No server is connected to it: its earlier counts are known, and nothing of the present.
  expect(sumOfParts([old])).toMatchObject({ answered: { '2xx': 9 }, inFlight: 0, replicas: [] });
});

it('a replica is avoided until the last process tries it again', () => {
  const avoidedFor = (until: number) => [
    { jobId: 'job', inFlight: 0, avoided: { until, why: null }, recent: null },
  ];
  const parts = [
    part('one', { replicas: avoidedFor(5) }),
    part('two', { replicas: avoidedFor(9) }),
    part('three'),
  ];
  expect(sumOfParts(parts).replicas).toEqual([
    { jobId: 'job', inFlight: 1, avoided: { until: 9, why: null }, recent: null },
  ]);
});

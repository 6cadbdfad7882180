import { EventEmitter } from 'node:events';
import type { ProxiedService } from '@dstack/proxy';
import type { Peers } from '@dstack/store';
import { expect, it } from 'vitest';
import { FigurePeers } from './figure-peers.ts';

const stats = { rps: 1.5, p50: 2, p95: 3, p99: null, answered: { '2xx': 4 }, latencies: null };
const state: ProxiedService = {
  ...{ projectName: 'main', runName: 'web', ...stats },
  ...{ inFlight: 1, held: 0, replicas: 2, ejected: 0, model: null },
  mirrored: { ...stats, answered: {} },
  byReplica: { job: { answered: { '2xx': 4 }, latencies: { seconds: 1, counts: [4] } } },
};

/** A server of a database that knows the figures of these services. */
function server(database: EventEmitter, known: Readonly<Record<string, ProxiedService>>) {
  const peers: Peers = {
    send: (texts) => {
      for (const text of texts) database.emit('text', text, peers);
    },
    subscribe: (listener) => {
      const onText = (text: string, from: Peers) => from !== peers && listener(text);
      database.on('text', onText);
      return () => database.off('text', onText);
    },
  };
  return new FigurePeers(peers, { of: async (runId) => known[runId] ?? null });
}

it('the figures of a gateway are known at every server, while one is connected to it', async () => {
  const database = new EventEmitter();
  const linked = server(database, { web: state });
  const [other] = [server(database, {}), server(database, {})];
  expect(await linked.of('web')).toEqual(state);
  expect(await other?.of('web')).toEqual({ ...state, byReplica: {} });
  expect(await other?.of('unknown')).toBeNull();
  linked.close();
  expect(await other?.of('web')).toBeNull();
});

it('messages of others are left alone', async () => {
  const database = new EventEmitter();
  const one = server(database, { web: state });
  for (const text of ['no JSON', '{}', '{"type":"figures-of","reader":"r","state":{}}']) {
    database.emit('text', text, null);
  }
  expect(await one.of('web')).toEqual(state);
});

it('the figures of a service with many replicas fit into a message', async () => {
  const database = new EventEmitter();
  const totals = { answered: { '2xx': 4 }, latencies: { seconds: 1, counts: Array(15).fill(4) } };
  const many = Array.from({ length: 200 }, (_, n) => [`job-${n}`, totals] as const);
  server(database, { web: { ...state, byReplica: Object.fromEntries(many) } });
  const sizes: number[] = [];
  database.on('text', (text: string) => sizes.push(Buffer.byteLength(text)));
  expect(await server(database, {}).of('web')).toMatchObject({ runName: 'web' });
  expect(Math.max(...sizes)).toBeLessThan(7900);
});

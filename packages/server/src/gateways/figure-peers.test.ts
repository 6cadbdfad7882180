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
  expect(await other?.of('web')).toEqual(state);
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

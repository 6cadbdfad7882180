import type { ReplicaTraffic, ServiceTraffic } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import {
  errorsText,
  partText,
  replicaLook,
  replicaText,
  tokensText,
  trafficNotes,
} from './service-traffic.ts';

const NOW = Date.parse('2026-11-24T15:30:00Z');

const replica = (part: Partial<ReplicaTraffic> = {}): ReplicaTraffic => ({
  ...{ replica_num: 1, job_id: 'j', group: '0', state: 'ready', reason: null, until: null },
  ...{
    in_flight: 2,
    requests: 1200,
    errors: 0,
    weight: 0.5,
    p50_ms: 8,
    p95_ms: 1234,
    p99_ms: 2000,
  },
  ...part,
});

const traffic = (part: Partial<ServiceTraffic> = {}): ServiceTraffic => ({
  ...{ run_id: 'r', run_name: 'api', window_seconds: 60, requests: 0, errors: 0, rps: 0 },
  ...{ p50_ms: null, p95_ms: null, p99_ms: null, in_flight: 0, held: 0, partial: false },
  ...{ answered: {}, replicas: [], replicas_total: 0, model: null, gateway: null },
  ...{ servers: 1, missing_servers: 0, missing_gateway_replicas: [] },
  ...part,
});

it.each([
  [{ errors: null, requests: 5 }, '–'],
  [{ errors: 0, requests: 5 }, '0'],
  [{ errors: 3, requests: 1000 }, '3 (<1 %)'],
  [{ errors: 1, requests: 2 }, '1 (50 %)'],
])('errors %j are %s', (figures, text) => {
  expect(errorsText(figures)).toBe(text);
});

it('parts and rates that are not zero are not shown as zero', () => {
  expect([0, 0.001, 0.5, null].map(partText)).toEqual(['0 %', '<1 %', '50 %', '–']);
  expect([0, 0.31, 120.4].map(tokensText)).toEqual(['0/s', '0.3/s', '120/s']);
});

it('a replica that is avoided shows for how long', () => {
  const until = '2026-11-24T15:30:42Z';
  expect(replicaLook(replica({ state: 'avoided', until }), NOW).text).toBe('Avoided for 42 s');
  expect(replicaLook(replica({ state: 'avoided', until }), NOW + 60_000).text).toBe('Avoided');
  expect(replicaLook(replica({ state: 'not_ready' }), NOW).text).toBe('Not ready');
});

it('a card has the figures with their names', () => {
  expect(replicaText(replica())).toBe('1,200 requests (50 %), p95 1.2 s');
  expect(replicaText(replica({ errors: 1 }))).toBe('1,200 requests (50 %), 1 error, p95 1.2 s');
  expect(replicaText(replica({ requests: null }))).toBe('2 in flight');
});

it('notes say why replicas get no requests, and what is missing', () => {
  expect(trafficNotes(traffic())).toEqual([]);
  const reason = 'it refuses connections';
  const avoided = Array.from({ length: 6 }, () => replica({ state: 'avoided', reason }));
  const notes = trafficNotes(traffic({ replicas: avoided, replicas_total: 8 }));
  expect(notes).toHaveLength(7);
  expect(notes[0]).toBe('Replica 1 gets no requests: it refuses connections.');
  expect(notes.slice(5)).toEqual(['1 more replica gets none.', '2 more replicas are not shown.']);
  expect(trafficNotes(traffic({ partial: true, servers: 3, missing_servers: 1 }))).toEqual([
    'The figures may be too low: 1 of 3 servers did not answer.',
  ]);
  const lost = { partial: true, gateway: 'edge', missing_gateway_replicas: [0, 2] };
  expect(trafficNotes(traffic(lost))).toEqual([
    'The figures may be too low: no server is connected to replicas 0, 2 of gateway edge.',
  ]);
});

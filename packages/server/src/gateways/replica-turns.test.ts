import { GatewaySettings, MOST_GATEWAY_REPLICAS, parseMessage } from '@dstack/contract/agent';
import type { GatewayView } from '@dstack/store';
import { expect, it } from 'vitest';
import { newAccountKey, placeAmong } from './replica-turns.ts';

const replica = (replicaNum: number, status = 'running') => ({
  ...{ id: `replica-${replicaNum}`, replicaNum, status, hostname: `10.0.0.${replicaNum}` },
});

it('of the replicas that serve, those with a lower number request certificates first', () => {
  const view = {
    replicas: [replica(0), replica(1), replica(2, 'terminating'), replica(3), replica(4)],
    reports: [0, 1, 2, 4].map((num) => ({
      ...{ replicaId: `replica-${num}`, state: num === 1 ? 'waiting' : 'ready', hostname: null },
    })),
  } as unknown as GatewayView;
  const places = view.replicas.map((one) => placeAmong(view, one));
  expect(places).toEqual([
    { others: ['10.0.0.4'], turn: 0, replicas: 5 },
    { others: ['10.0.0.0', '10.0.0.4'], turn: 1, replicas: 5 },
    { others: ['10.0.0.0', '10.0.0.4'], turn: 1, replicas: 5 },
    { others: ['10.0.0.0', '10.0.0.4'], turn: 1, replicas: 5 },
    { others: ['10.0.0.0'], turn: 1, replicas: 5 },
  ]);
});

it('a gateway with as many replicas as there may be takes its settings', () => {
  const replicas = Array.from({ length: MOST_GATEWAY_REPLICAS }, (_, num) => replica(num));
  const reports = replicas.map(({ id }) => ({ replicaId: id, state: 'ready', hostname: null }));
  const view = { replicas, reports } as unknown as GatewayView;
  const [last] = view.replicas.slice(-1).map((one) => placeAmong(view, one));
  expect(last).toMatchObject({ turn: 999, replicas: 1000 });
  const settings = {
    ...{ http_port: 80, https_port: 443, install: false, acme: null, tls: false, dns: null },
    ...{ address: null, other_addresses: last?.others, turn: last?.turn, replicas: last?.replicas },
    ...{ auth_age: 0, max_body: 0, timeout_ms: 0 },
  };
  expect(parseMessage(GatewaySettings, settings)).toMatchObject(settings);
});

it('accounts have keys of their own', () => {
  expect(newAccountKey()).toMatch(/^-----BEGIN PRIVATE KEY-----/);
  expect(newAccountKey()).not.toBe(newAccountKey());
});

import { expect, test } from 'vitest';
import { SECOND } from '../../model/values.ts';
import { OUTDATED, refused, runningGateway } from '../testing/gateway-world.ts';
import { T0 } from '../testing/records.ts';

const certificate = (state: 'valid' | 'pending') => ({
  ...{ domain: 'a.apps.test', source: 'acme' as const, state },
  ...{ expiresAt: null, renewsAt: null, message: null },
});

test('an outdated replica leaves once another one serves all of its names', () => {
  const world = runningGateway();
  const certificates = [certificate('valid')];
  world.report(0, 'ready', null, { ...OUTDATED, certificates });
  expect(world.statuses).toEqual(['0 running', '1 submitted']);
  world.work();
  world.report(1, 'waiting', 'its pod is being created');
  world.report(1, 'ready', null, { certificates: [certificate('pending')] });
  expect(world.statuses).toEqual(['0 running', '1 running']);
  world.report(1, 'ready', null, { certificates });
  expect(world.statuses).toEqual(['0 terminating', '1 running']);
  expect(world.replicas[0]?.statusMessage).toBe(OUTDATED.outdated);
  world.work();
  expect(world.statuses).toEqual(['0 terminated', '1 running']);
});

test('several outdated replicas are replaced one after another, without waiting in between', () => {
  const world = runningGateway(2);
  world.report(0, 'ready', null, OUTDATED);
  world.report(1, 'ready', null, OUTDATED);
  expect(world.statuses).toEqual(['0 running', '1 running', '2 submitted']);
  world.work();
  world.report(2, 'ready');
  expect(world.statuses).toEqual(['0 terminating', '1 running', '2 running', '3 submitted']);
  world.work();
  world.report(3, 'ready');
  world.work();
  expect(world.statuses.filter((one) => !one.endsWith('terminated'))).toEqual([
    ...['2 running', '3 running'],
  ]);
});

test('an outdated replica stays while no other one can be made, and attempts wait longer', () => {
  const world = runningGateway();
  world.report(0, 'ready', null, OUTDATED);
  world.work(refused('exceeded quota'));
  expect(world.statuses).toEqual(['0 running', '1 terminated']);
  expect(world.gateway.nextPassAt).toBe(T0 + 60 * SECOND);
  world.now = T0 + 60 * SECOND;
  world.pass();
  expect(world.statuses.at(-1)).toBe('1 submitted');
  world.work(refused('exceeded quota'));
  expect(world.gateway.nextPassAt).toBe(T0 + 180 * SECOND);
  expect(world.gateway.status).toBe('running');
});

test('a gateway that is deleted meanwhile ends its outdated replica and the new one', () => {
  const world = runningGateway();
  world.report(0, 'ready', null, OUTDATED);
  world.work();
  world.gateway = { ...world.gateway, toBeDeleted: true };
  world.pass();
  expect(world.statuses).toEqual(['0 terminating', '1 terminating']);
  world.work();
  expect(world.gateway.deleted).toBe(true);
});

test('replicas move to another fleet one after another', () => {
  const world = runningGateway();
  world.gateway = { ...world.gateway, region: 'elsewhere' };
  world.pass();
  expect(world.replicas.map(({ region }) => region)).toEqual(['hosts', 'elsewhere']);
  world.work();
  world.report(1, 'ready');
  expect(world.replicas[0]).toMatchObject({
    ...{ status: 'terminating', statusMessage: 'The gateway is in elsewhere now' },
  });
});

test('a replica goes on for half an hour when the one that takes its place has another address', () => {
  const world = runningGateway();
  world.gateway = { ...world.gateway, region: 'elsewhere' };
  world.pass();
  world.work();
  world.report(1, 'ready', null, { hostname: '10.0.0.2' });
  world.pass();
  expect(world.statuses).toEqual(['0 running', '1 running']);
  expect(world.replicas[0]?.statusMessage).toMatch(
    /^The gateway is in elsewhere now\. Let DNS lead to 10\.0\.0\.2: this replica ends at .* UTC$/,
  );
  expect(world.gateway.nextPassAt).toBe(T0 + 1800 * SECOND);
  world.now = T0 + 1800 * SECOND;
  world.pass();
  world.pass();
  expect(world.statuses).toEqual(['0 terminating', '1 running']);
});

test('a replica with another address goes on although its agent is being replaced', () => {
  const world = runningGateway();
  world.gateway = { ...world.gateway, region: 'elsewhere' };
  world.pass();
  world.work();
  world.report(0, 'waiting', 'PUT /v1/gateways/a: socket hang up');
  world.report(1, 'ready', null, { hostname: '10.0.0.2' });
  world.pass();
  expect(world.statuses).toEqual(['0 running', '1 running']);
});

test('a gateway that moves back within this time keeps its first replica', () => {
  const world = runningGateway();
  world.gateway = { ...world.gateway, region: 'elsewhere' };
  world.pass();
  world.work();
  world.now = T0 + 60 * SECOND;
  world.report(1, 'ready', null, { hostname: '10.0.0.2' });
  world.gateway = { ...world.gateway, region: 'hosts' };
  world.pass();
  expect(world.statuses).toEqual(['0 running', '1 running']);
  world.now = T0 + 1860 * SECOND;
  world.pass();
  world.pass();
  expect(world.statuses).toEqual(['0 running', '1 terminating']);
});

test('a gateway that moves on within this time is made at the third place too', () => {
  const world = runningGateway();
  world.gateway = { ...world.gateway, region: 'elsewhere' };
  world.pass();
  world.work();
  world.report(1, 'ready', null, { hostname: '10.0.0.2' });
  world.gateway = { ...world.gateway, region: 'third' };
  world.pass();
  expect(world.replicas.map(({ region }) => region)).toEqual(['hosts', 'elsewhere', 'third']);
  world.work();
  world.report(2, 'ready', null, { hostname: '10.0.0.3' });
  expect(world.statuses).toEqual(['0 running', '1 running', '2 running']);
  world.now = T0 + 1800 * SECOND;
  world.pass();
  world.pass();
  expect(world.statuses).toEqual(['0 terminating', '1 terminating', '2 running']);
});

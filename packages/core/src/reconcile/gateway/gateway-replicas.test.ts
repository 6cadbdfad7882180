import { expect, test } from 'vitest';
import { SECOND } from '../../model/values.ts';
import { GatewayWorld, refused, runningGateway } from '../testing/gateway-world.ts';
import { T0 } from '../testing/records.ts';

test('a gateway runs once each of its replicas reports that it serves requests', () => {
  const world = new GatewayWorld(2);
  world.pass();
  expect(world.statuses).toEqual(['0 submitted', '1 submitted']);
  world.work();
  world.report(0, 'ready');
  expect(world.gateway.status).toBe('provisioning');
  world.report(1, 'ready');
  expect([world.gateway.status, ...world.statuses]).toEqual(['running', '0 running', '1 running']);
  expect(world.replicas[0]?.hostname).toBe('10.0.0.1');
  expect(world.events).toContain('Gateway replica status changed PROVISIONING -> RUNNING');
});

test('a gateway fails with the reason of its replica, and ends the others', () => {
  const world = new GatewayWorld(2);
  world.pass();
  world.work();
  world.report(0, 'ready');
  world.report(1, 'refused', 'Port 80 of h1 is held by apache2 (pid 1)');
  expect(world.gateway).toMatchObject({
    status: 'failed',
    statusMessage: 'Failed to provision gateway replica: Port 80 of h1 is held by apache2 (pid 1)',
  });
  world.work();
  expect(world.statuses).toEqual(['0 terminated', '1 terminated']);
});

test('a gateway without a fleet or machine fails at once, and nothing remains of it', () => {
  const nowhere = new GatewayWorld();
  nowhere.pass(false);
  expect(nowhere.gateway.statusMessage).toBe('Project main has no fleet hosts');
  const full = new GatewayWorld();
  full.pass();
  full.work(refused('Each host has a gateway'));
  expect(full.gateway.statusMessage).toMatch(/Each host has a gateway$/);
  expect(full.statuses).toEqual(['0 terminated']);
  expect(full.intents.map(({ kind }) => kind)).toEqual(['gateway.create']);
});

test('a replica that is never ready fails at its deadline', () => {
  const world = new GatewayWorld();
  world.pass();
  world.work();
  world.report(0, 'waiting', 'Its host is not connected');
  expect(world.replicas[0]?.statusMessage).toBe('Its host is not connected');
  expect(world.gateway.nextPassAt).toBe(T0 + 1800 * SECOND);
  world.now = T0 + 1800 * SECOND;
  world.pass();
  expect(world.gateway.statusMessage).toMatch(/not ready within 30 minutes \(Its host is not/);
});

test('a replica that starts has its whole time beside that of a jump', () => {
  const world = new GatewayWorld();
  world.pass();
  world.work();
  world.report(0, 'waiting', 'Its host is not connected');
  world.now = T0 + 86_400 * SECOND;
  world.unobserved = [{ from: T0, until: world.now }];
  world.pass();
  expect(world.gateway).toMatchObject({
    ...{ status: 'provisioning', nextPassAt: world.now + 1800 * SECOND },
  });
  world.now += 1800 * SECOND;
  world.pass();
  expect(world.gateway.statusMessage).toMatch(/not ready within 30 minutes/);
});

test('a replica that serves requests shows what is wrong with its host', () => {
  const world = runningGateway();
  world.report(0, 'ready', 'The disk is full');
  expect(world.replicas[0]).toMatchObject({ status: 'running', statusMessage: 'The disk is full' });
  world.report(0, 'ready');
  expect(world.replicas[0]).toMatchObject({ status: 'running', statusMessage: null });
});

test('a smaller number of replicas ends the oldest ones', () => {
  const world = runningGateway(2);
  const { configuration } = world.gateway;
  world.gateway = { ...world.gateway, configuration: { ...configuration, replicas: 1 } };
  world.pass();
  world.work();
  expect(world.statuses).toEqual(['0 terminated', '1 running']);
});

test('a deleted gateway ends its machines first, also one that is still being created', () => {
  const world = new GatewayWorld();
  world.pass();
  world.gateway = { ...world.gateway, toBeDeleted: true };
  world.pass();
  expect(world.gateway.deleted).toBe(false);
  world.work();
  expect(world.intents.map(({ kind }) => kind)).toEqual(['gateway.create', 'gateway.delete']);
  world.work(refused('busy'));
  expect(world.gateway.deleted).toBe(false);
  world.now = world.gateway.nextPassAt ?? 0;
  world.pass();
  world.work();
  expect([world.gateway.deleted, world.events.at(-1)]).toEqual([true, 'Gateway deleted']);
});

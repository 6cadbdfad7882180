import { expect, test } from 'vitest';
import type { IntentRecord } from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';
import { OUTDATED, refused, runningGateway, succeeded } from '../testing/gateway-world.ts';
import { T0 } from '../testing/records.ts';

test('a running gateway replaces a replica whose host has left, and waits longer each time', () => {
  const world = runningGateway();
  world.report(0, 'waiting', 'Its host is not connected');
  expect(world.replicas[0]).toMatchObject({
    ...{ status: 'running', statusMessage: 'Its host is not connected' },
  });
  world.report(0, 'lost', 'Its host has left the fleet');
  expect(world.statuses).toEqual(['0 terminating', '0 submitted']);
  world.work((intent) =>
    intent.kind === 'gateway.create' ? refused('no host')() : succeeded(intent),
  );
  expect(world.statuses).toEqual(['0 terminated', '0 terminated']);
  expect(world.gateway.status).toBe('running');
  world.now = world.gateway.nextPassAt ?? 0;
  expect(world.now).toBe(T0 + 60 * SECOND);
  world.pass();
  expect(world.statuses.at(-1)).toBe('0 submitted');
  world.work();
  world.report(0, 'ready');
  expect(world.gateway.scaleOutAttempt).toBe(0);
});

test('a replica has the number of the one that it replaces, which was not the lowest, also at the second attempt', () => {
  const world = runningGateway();
  world.report(0, 'ready', null, OUTDATED);
  world.work(refused('exceeded quota'));
  world.now = world.gateway.nextPassAt ?? 0;
  world.pass();
  world.work();
  world.report(1, 'ready');
  world.work();
  expect(world.statuses).toEqual(['0 terminated', '1 terminated', '1 running']);
  world.now += SECOND;
  world.report(1, 'lost', 'Its machine was removed');
  world.work((intent) =>
    intent.kind === 'gateway.create' ? refused('no capacity')() : succeeded(intent),
  );
  world.now = world.gateway.nextPassAt ?? 0;
  world.pass();
  expect(world.statuses.slice(2)).toEqual(['1 terminated', '1 terminated', '1 submitted']);
});

test('a replica that is lost while an attempt to replace it has failed gives its number on', () => {
  const world = runningGateway();
  world.report(0, 'ready', null, OUTDATED);
  world.work(refused('exceeded quota'));
  world.now += SECOND;
  world.report(0, 'lost', 'Its machine was removed');
  world.now = world.gateway.nextPassAt ?? 0;
  world.pass();
  expect(world.statuses).toEqual(['0 terminating', '1 terminated', '0 submitted']);
});

test('missing replicas are tried for ever, after delays that grow up to 30 minutes', () => {
  const world = runningGateway();
  world.report(0, 'lost', 'Its host has left the fleet');
  const refusing = (intent: IntentRecord) =>
    intent.kind === 'gateway.create' ? refused('no host')() : succeeded(intent);
  world.work(refusing);
  const delays: number[] = [];
  for (let n = 0; n < 20; n++) {
    const at = world.gateway.nextPassAt ?? Number.NaN;
    delays.push((at - world.now) / SECOND / 60);
    world.now = at;
    world.pass();
    world.work(refusing);
  }
  expect(delays).toEqual([1, 2, 5, 10, ...Array.from({ length: 16 }, () => 30)]);
  expect(world.gateway.status).toBe('running');
  world.now = world.gateway.nextPassAt ?? Number.NaN;
  world.pass();
  world.work();
  world.report(0, 'ready');
  expect(world.gateway.scaleOutAttempt).toBe(0);
});

test('missing replicas are tried anew as soon as a host has room for one, but not all the time', () => {
  const world = runningGateway();
  world.report(0, 'lost', 'Its host has left the fleet');
  const refusing = (intent: IntentRecord) =>
    intent.kind === 'gateway.create' ? refused('no host')() : succeeded(intent);
  world.work(refusing);
  for (let n = 0; n < 5; n++) {
    world.now = world.gateway.nextPassAt ?? Number.NaN;
    world.pass();
    world.work(refusing);
  }
  expect(world.gateway.scaleOutAttempt).toBe(6);
  const last = world.now;
  world.now = last + SECOND;
  world.roomSince = world.now;
  world.pass();
  expect(world.gateway.nextPassAt).toBe(last + 5 * SECOND);
  world.now = last + 600 * SECOND;
  world.pass();
  expect(world.statuses.at(-1)).toBe('0 submitted');
  // The host does not suit: the delays begin again.
  world.work(refusing);
  expect(world.gateway).toMatchObject({ nextPassAt: world.now + 60 * SECOND, scaleOutAttempt: 1 });
});

test('gateways that lack replicas are woken by a host that another one leaves on purpose', () => {
  const world = runningGateway(2);
  const { configuration } = world.gateway;
  world.report(0, 'lost', 'Its host has left the fleet');
  world.work();
  world.report(0, 'ready');
  expect(world.signalled).not.toContain('gateway other');
  world.gateway = { ...world.gateway, configuration: { ...configuration, replicas: 1 } };
  world.pass();
  world.work();
  expect(world.signalled).toContain('gateway other');
});

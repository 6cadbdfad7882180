import { expect, test } from 'vitest';
import { eventMessage } from '../../events/event-message.ts';
import type {
  Change,
  GatewayRecord,
  GatewayReplicaRecord,
  GatewayReport,
  GatewaySnapshot,
  IntentRecord,
  IntentResult,
  Unobserved,
} from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';
import { SETTINGS, T0 } from '../testing/records.ts';
import { reconcileGateway } from './reconcile-gateway.ts';

/** A gateway in a database of its own, whose backend and hosts the test plays. */
class World {
  now = T0;
  unobserved: readonly Unobserved[] = [];
  gateway: GatewayRecord;
  replicas: GatewayReplicaRecord[] = [];
  intents: IntentRecord[] = [];
  reports: GatewayReport[] = [];
  events: string[] = [];
  roomSince: number | null = null;
  signalled: string[] = [];
  #ids = 0;

  constructor(replicas = 1) {
    this.gateway = {
      ...{ id: 'gateway', projectId: 'project', name: 'edge', backend: 'remote', region: 'hosts' },
      configuration: { default: null, replicas } as GatewayRecord['configuration'],
      ...{ status: 'submitted', statusMessage: null, wildcardDomain: null, hostname: null },
      ...{ backendData: null, scaleOutAttempt: 0, createdAt: T0, lastProcessedAt: T0 },
      ...{ toBeDeleted: false, deleted: false, nextPassAt: T0, version: 0 },
    };
  }

  pass(backendConfigured = true): void {
    const snapshot: GatewaySnapshot = {
      ...{ gateway: this.gateway, replicas: this.replicas, intents: this.intents },
      ...{ reports: this.reports, projectName: 'main', backendConfigured },
      ...{ defaultOf: [], projectDefaultId: null },
      ...{ roomSince: this.roomSince, waitingGatewayIds: ['other'] },
    };
    const newId = () => `replica-${this.#ids++}`;
    const context = { now: this.now, unobserved: this.unobserved, newId, settings: SETTINGS };
    const { changes, signals } = reconcileGateway(snapshot, context);
    for (const change of changes) this.#apply(change);
    this.signalled.push(...signals.map(({ kind, id }) => `${kind} ${id}`));
  }

  /** The worker carries out every announced effect. */
  work(resultOf: (intent: IntentRecord) => IntentResult = succeeded): void {
    this.intents = this.intents.map((one) => {
      if (one.state !== 'announced') return one;
      const result = resultOf(one);
      const state = result.kind === 'refused' ? ('failed' as const) : ('done' as const);
      return { ...one, state, result, updatedAt: this.now };
    });
    this.pass();
  }

  report(
    num: number,
    state: GatewayReport['state'],
    text: string | null = null,
    more: Partial<GatewayReport> = {},
  ): void {
    const { id } = this.replicas.find((one) => one.replicaNum === num && !one.deleted) as {
      id: string;
    };
    const rest = { hostname: '10.0.0.1', version: '1', certificates: [], updatedAt: this.now };
    const others = this.reports.filter((one) => one.replicaId !== id);
    const report = { replicaId: id, state, text, outdated: null, ...rest, ...more };
    this.reports = [...others, report];
    this.pass();
  }

  get statuses(): string[] {
    return this.replicas.map(({ replicaNum, status }) => `${replicaNum} ${status}`);
  }

  #apply(change: Change): void {
    if (change.type === 'gateway.update') this.gateway = { ...this.gateway, ...change.set };
    if (change.type === 'gateway-replica.insert') this.replicas.push(change.replica);
    if (change.type === 'gateway-replica.update') {
      this.replicas = this.replicas.map((one) =>
        one.id === change.id ? { ...one, ...change.set } : one,
      );
    }
    if (change.type === 'intent.insert') this.intents.push(change.intent);
    if (change.type === 'event') this.events.push(eventMessage(change.event));
  }
}

const succeeded = ({ kind, subjectId }: IntentRecord): IntentResult =>
  kind === 'gateway.create'
    ? { kind: 'gateway.created', handle: { id: `host of ${subjectId}`, data: null } }
    : { kind: 'ok' };

const refused = (message: string) => (): IntentResult => ({
  ...{ kind: 'refused', reason: 'error', message },
});

/** A world whose gateway runs. */
function running(replicas = 1): World {
  const world = new World(replicas);
  world.pass();
  world.work();
  for (let num = 0; num < replicas; num++) world.report(num, 'ready');
  return world;
}

test('a gateway runs once each of its replicas reports that it serves requests', () => {
  const world = new World(2);
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
  const world = new World(2);
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
  const nowhere = new World();
  nowhere.pass(false);
  expect(nowhere.gateway.statusMessage).toBe('Project main has no fleet hosts');
  const full = new World();
  full.pass();
  full.work(refused('Each host has a gateway'));
  expect(full.gateway.statusMessage).toMatch(/Each host has a gateway$/);
  expect(full.statuses).toEqual(['0 terminated']);
  expect(full.intents.map(({ kind }) => kind)).toEqual(['gateway.create']);
});

test('a replica that is never ready fails at its deadline', () => {
  const world = new World();
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
  const world = new World();
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

test('a running gateway replaces a replica whose host has left, and waits longer each time', () => {
  const world = running();
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
  const world = running();
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
  const world = running();
  world.report(0, 'ready', null, OUTDATED);
  world.work(refused('exceeded quota'));
  world.now += SECOND;
  world.report(0, 'lost', 'Its machine was removed');
  world.now = world.gateway.nextPassAt ?? 0;
  world.pass();
  expect(world.statuses).toEqual(['0 terminating', '1 terminated', '0 submitted']);
});

test('a replica that serves requests shows what is wrong with its host', () => {
  const world = running();
  world.report(0, 'ready', 'The disk is full');
  expect(world.replicas[0]).toMatchObject({ status: 'running', statusMessage: 'The disk is full' });
  world.report(0, 'ready');
  expect(world.replicas[0]).toMatchObject({ status: 'running', statusMessage: null });
});

test('a smaller number of replicas ends the oldest ones', () => {
  const world = running(2);
  const { configuration } = world.gateway;
  world.gateway = { ...world.gateway, configuration: { ...configuration, replicas: 1 } };
  world.pass();
  world.work();
  expect(world.statuses).toEqual(['0 terminated', '1 running']);
});

test('a deleted gateway ends its machines first, also one that is still being created', () => {
  const world = new World();
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

const OUTDATED = { outdated: 'The server has a newer version' };
const certificate = (state: 'valid' | 'pending') => ({
  ...{ domain: 'a.apps.test', source: 'acme' as const, state },
  ...{ expiresAt: null, renewsAt: null, message: null },
});

test('an outdated replica leaves once another one serves all of its names', () => {
  const world = running();
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
  const world = running(2);
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
  const world = running();
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
  const world = running();
  world.report(0, 'ready', null, OUTDATED);
  world.work();
  world.gateway = { ...world.gateway, toBeDeleted: true };
  world.pass();
  expect(world.statuses).toEqual(['0 terminating', '1 terminating']);
  world.work();
  expect(world.gateway.deleted).toBe(true);
});

test('replicas move to another fleet one after another', () => {
  const world = running();
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
  const world = running();
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
  const world = running();
  world.gateway = { ...world.gateway, region: 'elsewhere' };
  world.pass();
  world.work();
  world.report(0, 'waiting', 'PUT /v1/gateways/a: socket hang up');
  world.report(1, 'ready', null, { hostname: '10.0.0.2' });
  world.pass();
  expect(world.statuses).toEqual(['0 running', '1 running']);
});

test('a gateway that moves back within this time keeps its first replica', () => {
  const world = running();
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
  const world = running();
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

test('missing replicas are tried for ever, after delays that grow up to 30 minutes', () => {
  const world = running();
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
  const world = running();
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
  const world = running(2);
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

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
import { reconcileGateway } from '../gateway/reconcile-gateway.ts';
import { SETTINGS, T0 } from './records.ts';

/** A gateway in a database of its own, whose backend and hosts the test plays. */
export class GatewayWorld {
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

export const succeeded = ({ kind, subjectId }: IntentRecord): IntentResult =>
  kind === 'gateway.create'
    ? { kind: 'gateway.created', handle: { id: `host of ${subjectId}`, data: null } }
    : { kind: 'ok' };

export const refused = (message: string) => (): IntentResult => ({
  ...{ kind: 'refused', reason: 'error', message },
});

/** A world whose gateway runs. */
export function runningGateway(replicas = 1): GatewayWorld {
  const world = new GatewayWorld(replicas);
  world.pass();
  world.work();
  for (let num = 0; num < replicas; num++) world.report(num, 'ready');
  return world;
}

/** A part of the report of a replica that is to be replaced. */
export const OUTDATED = { outdated: 'The server has a newer version' };

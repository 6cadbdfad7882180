/** The next step of each replica of a gateway, and how many there should be. */
import { eventMessage } from '../../events/event-message.ts';
import { gatewayReplicaTarget, gatewayTarget } from '../../events/events.ts';
import { recordEvent } from '../../events/record-event.ts';
import { BACKEND_MISSING, type GatewayReplicaRecord } from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';
import {
  BACKEND_MISSING_LIMIT,
  GATEWAY_PROVISION_LIMIT,
  isGatewayFailed,
  isReplicaProvisioning,
  isReplicaRunning,
  isReplicaSubmitted,
  isReplicaTerminating,
  terminateDelay,
} from '../../status/index.ts';
import { silenceDeadline } from '../../time/silence.ts';
import type { GatewayPass } from './gateway-pass.ts';
import { areReplaced, byAge, leavesAt, leavingText, outdatedText } from './outdated-replicas.ts';
import { hasNewRoom, nextAttemptAt, numberOfNext } from './replica-attempts.ts';

/** After this, a worker that is creating the machine is requested to stop again. */
const ORDER_DELAY = 30 * SECOND;

export function advanceReplica(pass: GatewayPass, replica: GatewayReplicaRecord): void {
  const { status } = replica;
  if (isReplicaTerminating(status)) {
    followEnd(pass, replica);
    return;
  }
  const unwanted = unwantedText(pass, replica);
  if (unwanted !== null) {
    end(pass, replica, unwanted);
    return;
  }
  if (isReplicaSubmitted(status)) {
    followOrder(pass, replica);
    return;
  }
  const report = pass.report(replica);
  if (report?.state === 'lost') {
    end(pass, replica, report.text ?? 'Its machine was removed');
    return;
  }
  if (isReplicaProvisioning(status)) {
    followStart(pass, replica);
    return;
  }
  if (!isReplicaRunning(status)) return;
  const isReady = report === null || report.state === 'ready';
  // One that is ready may have a problem all the same.
  const text = report?.text ?? null;
  const statusMessage = isReady ? (text ?? leavingText(pass, replica)) : text;
  const hostname = report?.hostname ?? replica.hostname;
  pass.setReplica(replica, { statusMessage, hostname });
}

function unwantedText(pass: GatewayPass, replica: GatewayReplicaRecord): string | null {
  const { gateway } = pass;
  if (gateway.toBeDeleted) return 'The gateway is being deleted';
  if (isGatewayFailed(gateway.status)) return 'The gateway has failed';
  return replica.scaleIn ? (outdatedText(pass, replica) ?? 'Scaled in') : null;
}

function followOrder(pass: GatewayPass, replica: GatewayReplicaRecord): void {
  const { draft } = pass;
  const order = draft.lastIntent('gateway.create', replica.id);
  if (order === null) {
    draft.announce(replica.id, { kind: 'gateway.create' });
  } else if (order.result?.kind === 'gateway.created') {
    const { id, data } = order.result.handle;
    pass.moveReplica(replica, 'provisioning', null, { instanceId: id, backendData: data });
  } else if (order.state === 'failed') {
    const message = order.result?.kind === 'refused' ? order.result.message : order.error;
    pass.moveReplica(replica, 'terminated', message ?? 'its order failed');
  } else {
    withinLimit(pass, replica, 'The backend did not answer');
  }
}

function followStart(pass: GatewayPass, replica: GatewayReplicaRecord): void {
  const report = pass.report(replica);
  if (report?.state === 'ready') {
    pass.moveReplica(replica, 'running', null, { hostname: report.hostname });
  } else if (report?.state === 'refused') {
    end(pass, replica, report.text ?? 'The machine cannot be a gateway');
  } else {
    pass.setReplica(replica, { statusMessage: report?.text ?? null });
    withinLimit(pass, replica, report?.text ?? 'Its machine did not become ready');
  }
}

function withinLimit(pass: GatewayPass, replica: GatewayReplicaRecord, text: string): void {
  const until = silenceDeadline(pass.draft, replica.createdAt, GATEWAY_PROVISION_LIMIT);
  if (pass.now >= until) end(pass, replica, `It was not ready within 30 minutes (${text})`);
  else pass.draft.dueAt(until);
}

function end(pass: GatewayPass, replica: GatewayReplicaRecord, message: string): void {
  const isOrdered = pass.draft.lastIntent('gateway.create', replica.id) !== null;
  pass.moveReplica(replica, isOrdered ? 'terminating' : 'terminated', message);
}

function followEnd(pass: GatewayPass, replica: GatewayReplicaRecord): void {
  const { draft } = pass;
  const order = draft.lastIntent('gateway.create', replica.id);
  if (order?.state === 'announced') {
    // Its result may be the only record of a machine that costs money.
    draft.signal('intent', order.key);
    draft.dueAt(pass.now + ORDER_DELAY);
    return;
  }
  if (replica.instanceId === null) {
    const made = order?.result?.kind === 'gateway.created' ? order.result.handle : null;
    if (made === null) {
      ended(pass, replica);
      return;
    }
    pass.setReplica(replica, { instanceId: made.id, backendData: made.data });
    return;
  }
  const last = draft.lastIntent('gateway.delete', replica.id);
  if (last === null) {
    draft.announce(replica.id, { kind: 'gateway.delete' });
  } else if (last.state === 'done') {
    ended(pass, replica);
  } else if (last.state === 'failed') {
    const isMissing = last.result?.kind === 'refused' && last.result.reason === BACKEND_MISSING;
    if (isMissing && pass.now >= silenceDeadline(draft, last.createdAt, BACKEND_MISSING_LIMIT)) {
      const event = recordEvent({
        action: 'gateway.machine_abandoned',
        data: { gateway: pass.gateway.name, id: replica.instanceId, backend: replica.backend },
        targets: [gatewayTarget(pass.gateway)],
      });
      draft.alarm(eventMessage(event));
      draft.event(event);
      ended(pass, replica);
      return;
    }
    const again = last.updatedAt + terminateDelay(last.attempt);
    if (pass.now >= again) draft.announce(replica.id, { kind: 'gateway.delete' });
    else draft.dueAt(again);
  }
}

function ended(pass: GatewayPass, replica: GatewayReplicaRecord): void {
  pass.moveReplica(replica, 'terminated', replica.statusMessage);
  // The host of one that has failed has no room: gateways would try it in turns.
  if (!replica.scaleIn && !pass.gateway.toBeDeleted) return;
  for (const id of pass.snapshot.waitingGatewayIds) pass.draft.signal('gateway', id);
}

/** Adds missing replicas, marks those that are too many, and replaces outdated ones. */
export function scaleReplicas(pass: GatewayPass): void {
  const { gateway, active } = pass;
  const wanted = gateway.configuration.replicas ?? 1;
  const { outdated, current } = byAge(pass);
  // One more at a time: it serves requests before an outdated one leaves. After several moves there may
  // be more outdated ones than are wanted, which clients still use.
  const target = outdated.length > 0 ? Math.max(wanted, outdated.length) + 1 : wanted;
  if (active.length < target) addReplicas(pass, target - active.length);
  else if (outdated.length === 0) markSurplus(pass, active, active.length - wanted);
  else if (areReplaced(pass)) {
    const leaving = outdated.filter((replica) => isTimeToLeave(pass, replica));
    markSurplus(pass, leaving, active.length - wanted);
  }
  const isComplete = active.length >= wanted && active.every((one) => isReplicaRunning(one.status));
  // While outdated ones alone run, the last attempt to replace one has failed.
  const hasFailed = outdated.length > 0 && current.length === 0;
  if (isComplete && !hasFailed && gateway.scaleOutAttempt > 0) pass.set({ scaleOutAttempt: 0 });
}

function isTimeToLeave(pass: GatewayPass, replica: GatewayReplicaRecord): boolean {
  const at = leavesAt(pass, replica);
  if (at === null || pass.now >= at) return true;
  pass.draft.dueAt(at);
  return false;
}

function addReplicas(pass: GatewayPass, count: number): void {
  const { gateway, draft } = pass;
  const { roomSince } = pass.snapshot;
  const attempts = { gateway, replicas: draft.gatewayReplicas.all(), roomSince };
  const at = nextAttemptAt(attempts);
  const isAfresh = gateway.scaleOutAttempt > 0 && hasNewRoom(attempts);
  if (at !== null && pass.now < at) {
    draft.dueAt(at);
    return;
  }
  for (let n = 0; n < count; n++) insertReplica(pass);
  pass.set({ scaleOutAttempt: isAfresh ? 1 : gateway.scaleOutAttempt + 1 });
}

function insertReplica(pass: GatewayPass): void {
  const { gateway, draft, now } = pass;
  const replica = draft.gatewayReplicas.insert({
    id: draft.newId(),
    gatewayId: gateway.id,
    replicaNum: numberOfNext(draft.gatewayReplicas.all()),
    status: 'submitted',
    statusMessage: null,
    backend: gateway.backend,
    region: gateway.region,
    instanceId: null,
    backendData: null,
    hostname: null,
    sshPublicKey: '',
    scaleIn: false,
    attempt: 0,
    appUpdatedAt: null,
    createdAt: now,
    lastProcessedAt: now,
    deleted: false,
    nextPassAt: null,
    version: 0,
  });
  draft.event(
    recordEvent({
      action: 'gateway.replica_created',
      data: { status: replica.status },
      targets: [gatewayReplicaTarget(gateway, replica)],
    }),
  );
}

/** Those that do not run yet first, then the oldest: an update of the configuration replaces them. */
function markSurplus(pass: GatewayPass, active: readonly GatewayReplicaRecord[], count: number) {
  const rank = ({ status }: GatewayReplicaRecord) =>
    isReplicaSubmitted(status) ? 0 : isReplicaProvisioning(status) ? 1 : 2;
  const victims = [...active].sort((a, b) => rank(a) - rank(b) || a.createdAt - b.createdAt);
  for (const replica of victims.slice(0, count)) pass.setReplica(replica, { scaleIn: true });
}

/**
 * The next step of a placement or compute group: its creation, and its deletion after its last
 * instance.
 */
import { Draft } from '../../draft/draft.ts';
import { eventMessage } from '../../events/event-message.ts';
import { fleetTarget } from '../../events/events.ts';
import { recordEvent } from '../../events/record-event.ts';
import { isGroupWanted } from '../../groups/index.ts';
import {
  BACKEND_MISSING,
  type Decision,
  type DecisionContext,
  type EventTargetRecord,
  type GroupRecord,
  type GroupSnapshot,
  type GroupStatus,
  type IntentRecord,
  type NewEvent,
} from '../../model/index.ts';
import {
  assertTransition,
  BACKEND_MISSING_LIMIT,
  CREATE_NUDGE,
  GROUP_TRANSITIONS,
  isGroupCreating,
  isGroupDeleting,
  isGroupFailed,
  isGroupReady,
  terminateDelay,
} from '../../status/index.ts';
import { silenceDeadline } from '../../time/silence.ts';

export function reconcileGroup(snapshot: GroupSnapshot, ctx: DecisionContext): Decision {
  const pass = new GroupPass(snapshot, ctx);
  do {
    pass.draft.beginRound();
    advance(pass);
  } while (pass.draft.touched);
  const { draft, group } = pass;
  draft.groups.set(group, { nextPassAt: draft.due });
  return {
    changes: draft.changes(),
    signals: draft.signals(),
    alarms: draft.alarms,
    summary: { group: group.id, from: snapshot.group.status, to: group.status },
  };
}

class GroupPass {
  readonly snapshot: GroupSnapshot;
  readonly draft: Draft;

  constructor(snapshot: GroupSnapshot, ctx: DecisionContext) {
    this.snapshot = snapshot;
    const { group, intents } = snapshot;
    this.draft = new Draft({ groups: [group], intents }, ctx);
  }

  get group(): GroupRecord {
    return this.draft.groups.get(this.snapshot.group.id) ?? this.snapshot.group;
  }

  get isWanted(): boolean {
    return isGroupWanted(this.group, this.snapshot.instances);
  }

  get targets(): readonly EventTargetRecord[] {
    return [fleetTarget(this.snapshot.fleet)];
  }

  /** Names the group in events of its fleet. */
  get named(): Pick<GroupRecord, 'kind' | 'name'> {
    const { kind, name } = this.group;
    return { kind, name };
  }

  move(status: GroupStatus, patch: Partial<GroupRecord>, event: NewEvent | null): void {
    assertTransition('group', GROUP_TRANSITIONS, this.group.status, status);
    this.draft.groups.set(this.group, {
      ...{ ...patch, status, statusChangedAt: this.draft.now },
    });
    if (event !== null) this.draft.event(event);
  }

  /** Releases the orders of instances that wait for the group. */
  wakeOrders(): void {
    for (const { kind, state, key } of this.snapshot.intents) {
      if (kind === 'instance.create' && state === 'announced') this.draft.signal('intent', key);
    }
  }
}

function advance(pass: GroupPass): void {
  const { status, deleted } = pass.group;
  if (deleted) return;
  if (isGroupCreating(status)) followCreation(pass);
  else if (isGroupReady(status) && !pass.isWanted) pass.move('deleting', {}, null);
  else if (isGroupDeleting(status)) followDeletion(pass);
  // Until then the master of the cluster regards this site as one without a group.
  else if (isGroupFailed(status) && !pass.isWanted) {
    pass.draft.groups.set(pass.group, { deleted: true });
  }
}

function followCreation(pass: GroupPass): void {
  const create = pass.draft.lastIntent('group.create', pass.group.id);
  const result = create?.result ?? null;
  if (result?.kind === 'group.created') {
    const { handle, offer } = result;
    const { backend, region } = offer ?? pass.group;
    const data = { ...pass.named, backend, region };
    const { targets } = pass;
    const event = recordEvent({ action: 'fleet.group_created', data, targets });
    pass.move('ready', { handle, offer, backend, region }, event);
    pass.wakeOrders();
  } else if (create === null || create.state === 'failed') {
    const message =
      result?.kind === 'no-capacity' || result?.kind === 'refused' ? result.message : null;
    const statusMessage = message ?? create?.error ?? 'its order is missing';
    const data = { ...pass.named, message: statusMessage };
    const { targets } = pass;
    const event = recordEvent({ action: 'fleet.group_failed', data, targets });
    pass.move('failed', { statusMessage }, event);
    pass.wakeOrders();
  } else {
    nudge(pass, create);
  }
}

/** Never gives up, because the group may still appear; signals the worker again from time to time. */
function nudge({ draft }: GroupPass, intent: IntentRecord): void {
  const rounds = Math.floor(Math.max(0, draft.now - intent.updatedAt) / CREATE_NUDGE);
  if (rounds > 0) draft.signal('intent', intent.key);
  draft.dueAt(intent.updatedAt + (rounds + 1) * CREATE_NUDGE);
}

function followDeletion(pass: GroupPass): void {
  const { draft, group } = pass;
  const last = draft.lastIntent('group.delete', group.id);
  if (last === null) {
    draft.announce(group.id, { kind: 'group.delete' });
  } else if (last.state === 'done') {
    const { named: data, targets } = pass;
    end(pass, recordEvent({ action: 'fleet.group_deleted', data, targets }));
  } else if (last.state === 'failed' && isGivenUp(pass, last)) {
    const { backend, region, handle } = group;
    const event = recordEvent({
      action: 'fleet.group_abandoned',
      data: { ...pass.named, backend, region, id: handle?.id ?? null },
      targets: pass.targets,
    });
    end(pass, event);
    draft.alarm(eventMessage(event));
  } else if (last.state === 'failed') {
    const again = last.updatedAt + terminateDelay(last.attempt);
    if (draft.now >= again) draft.announce(group.id, { kind: 'group.delete' });
    else draft.dueAt(again);
  } else {
    nudge(pass, last);
  }
}

/** The backend is no longer configured; the removal may be corrected within a grace period. */
function isGivenUp({ draft, group }: GroupPass, { result }: IntentRecord): boolean {
  if (result?.kind !== 'refused' || result.reason !== BACKEND_MISSING) return false;
  const until = silenceDeadline(draft, group.statusChangedAt, BACKEND_MISSING_LIMIT);
  if (draft.now >= until) return true;
  draft.dueAt(until);
  return false;
}

/** The machines of a compute group have ended with it. */
function end(pass: GroupPass, event: NewEvent): void {
  pass.move('deleted', { deleted: true }, event);
  for (const id of pass.group.memberIds) pass.draft.signal('instance', id);
}

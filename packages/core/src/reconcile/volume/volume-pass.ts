/** One pass over a volume. */

import { capabilitiesOf } from '../../capabilities/capabilities.ts';
import { Draft } from '../../draft/draft.ts';
import { volumeTarget } from '../../events/events.ts';
import { recordEvent } from '../../events/record-event.ts';
import type {
  DecisionContext,
  EventTargetRecord,
  InstanceRecord,
  IntentRecord,
  Timestamp,
  VolumeRecord,
  VolumeSnapshot,
  VolumeStatus,
} from '../../model/index.ts';
import { assertTransition, isInstanceActive, VOLUME_TRANSITIONS } from '../../status/index.ts';

export class VolumePass {
  readonly snapshot: VolumeSnapshot;
  readonly draft: Draft;

  constructor(snapshot: VolumeSnapshot, ctx: DecisionContext) {
    this.snapshot = snapshot;
    const { volume, attachments, intents } = snapshot;
    this.draft = new Draft({ volumeRecords: [volume], attachments, intents }, ctx);
  }

  get now(): Timestamp {
    return this.draft.now;
  }

  get volume(): VolumeRecord {
    return this.draft.volumes.get(this.snapshot.volume.id) ?? this.snapshot.volume;
  }

  /** The order of the volume, or the search for a volume of the user. */
  get order(): IntentRecord | null {
    const kind = this.volume.external ? 'volume.register' : 'volume.create';
    return this.draft.lastIntent(kind, this.volume.id);
  }

  /** It is a directory of hosts. */
  get isOnHosts(): boolean {
    return capabilitiesOf(this.volume.backend).owner !== 'provider';
  }

  /** No host that has the directory belongs to the fleet any more. */
  get hasLostItsHosts(): boolean {
    const { fleetId, hostId } = this.volume;
    if (fleetId === null) return false;
    if (this.snapshot.fleet === null || this.snapshot.fleet.deleted) return true;
    if (hostId === null) return false;
    const instance = this.instance(hostId);
    return instance === null || !isInstanceActive(instance.status);
  }

  instance(id: string | null): InstanceRecord | null {
    return this.snapshot.instances.find((one) => one.id === id) ?? null;
  }

  set(patch: Partial<VolumeRecord>): VolumeRecord {
    return this.draft.volumes.set(this.volume, patch);
  }

  get targets(): readonly EventTargetRecord[] {
    return [volumeTarget(this.volume)];
  }

  move(status: VolumeStatus, statusMessage: string | null = null): void {
    const from = this.volume.status;
    assertTransition('volume', VOLUME_TRANSITIONS, from, status);
    this.set({ status, statusMessage, statusChangedAt: this.now });
    const data = { from, to: status, message: statusMessage };
    const { targets } = this;
    this.draft.event(recordEvent({ action: 'volume.status_changed', data, targets }));
  }

  fail(message: string): void {
    this.move('failed', message);
  }
}

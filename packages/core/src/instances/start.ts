/** Moves of an instance whose agent has connected. */
import type { Draft } from '../draft/draft.ts';
import type { HostRecord, InstanceRecord } from '../model/index.ts';
import { isInstanceBusy, isInstanceIdle, isInstanceProvisioning } from '../status/index.ts';
import { signalCapacity } from './capacity.ts';
import { settleDivision } from './division.ts';
import { relyOnFleet, signalFleet } from './fleet-use.ts';
import { moveInstance } from './move.ts';
import { settleFree } from './release.ts';

/** The agent has connected for the first time. `up.totalBlocks` may depend on the machine (`auto`). */
export function startInstance(
  draft: Draft,
  instance: InstanceRecord,
  up: { readonly host: HostRecord; readonly totalBlocks: number; readonly hasJobs: boolean },
): InstanceRecord {
  const started = moveInstance(draft, instance, up.hasJobs ? 'busy' : 'idle', {
    hostFacts: up.host.facts ?? instance.hostFacts,
    totalBlocks: up.totalBlocks,
    startedAt: instance.startedAt ?? draft.now,
  });
  signalCapacity(draft, started);
  signalFleet(draft, started);
  if (up.hasJobs) return started;
  const settled = settleFree(draft, settleDivision(draft, started));
  if (isInstanceIdle(settled.status)) relyOnFleet(draft, settled);
  return settled;
}

/** A job starts on the instance: it becomes busy, a new one once its agent has connected. */
export function occupyInstance(
  draft: Draft,
  instance: InstanceRecord,
  host: HostRecord | null,
): void {
  if (isInstanceBusy(instance.status)) return;
  if (isInstanceIdle(instance.status)) {
    moveInstance(draft, instance, 'busy', { nextPassAt: null });
  } else if (isInstanceProvisioning(instance.status) && host?.connected) {
    const started = moveInstance(draft, instance, 'busy', {
      hostFacts: host.facts ?? instance.hostFacts,
      terminationMessage: null,
      nextPassAt: null,
    });
    // The pass of the instance would do so, but finds it busy now.
    signalCapacity(draft, started);
    signalFleet(draft, started);
  }
}

/** The windows of maintenance of a fleet: who is notified, and when work may go on. */
import { formatTimestamp } from '@dstack/contract/wire';
import type { Draft } from '../../draft/draft.ts';
import { fleetTarget } from '../../events/events.ts';
import { recordEvent } from '../../events/record-event.ts';
import { fleetCapacity } from '../../instances/capacity.ts';
import { type MaintenanceTime, windowAt } from '../../maintenance/index.ts';
import type { FleetRecord, Id } from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';

/**
 * The record of the fleet contains the window that its jobs were notified of: their passes obey it, so a clock that is
 * set back, and a server that was down when the window began, withdraw and shorten no notice.
 */
export function trackMaintenance(draft: Draft, fleet: FleetRecord, runIds: readonly Id[]): void {
  const maintenance = fleet.spec.configuration.maintenance ?? null;
  const window = maintenance && windowAt(maintenance, draft.now);
  const isSame = window !== null && fleet.maintenance?.startsAt === window.startsAt;
  if (fleet.maintenance !== null && !isSame) end(draft, fleet, runIds);
  if (maintenance === null || window === null) return;
  const leavingAt = window.startsAt - maintenance.lead * SECOND;
  if (!isSame && draft.now < leavingAt) {
    draft.dueAt(leavingAt);
    return;
  }
  if (!isSame) announce(draft, fleet, window, runIds);
  keep(draft, fleet, window, runIds);
}

const present = (draft: Draft, fleet: FleetRecord) =>
  (draft.fleets.get(fleet.id) ?? fleet).maintenance;

function announce(
  draft: Draft,
  fleet: FleetRecord,
  window: MaintenanceTime,
  runIds: readonly Id[],
): void {
  draft.fleets.set(fleet, { maintenance: { since: draft.now, ...window, hasBegun: false } });
  record(draft, fleet, 'fleet.maintenance_announced', window);
  wake(draft, fleet, runIds);
}

/** Its end follows the configuration; its beginning is that of the window. */
function keep(
  draft: Draft,
  fleet: FleetRecord,
  window: MaintenanceTime,
  runIds: readonly Id[],
): void {
  const { startsAt, endsAt } = window;
  const before = present(draft, fleet);
  if (before === null) return;
  if (before.endsAt !== endsAt) draft.fleets.set(fleet, { maintenance: { ...before, endsAt } });
  if (draft.now < startsAt) {
    draft.dueAt(startsAt);
    return;
  }
  draft.dueAt(endsAt);
  if (before.hasBegun) return;
  draft.fleets.set(fleet, { maintenance: { ...before, endsAt, hasBegun: true } });
  record(draft, fleet, 'fleet.maintenance_began', window);
  // A job that was placed while the notice was written has had none.
  wake(draft, fleet, runIds);
}

function end(draft: Draft, fleet: FleetRecord, runIds: readonly Id[]): void {
  const early = draft.now < (fleet.maintenance?.endsAt ?? 0);
  draft.fleets.set(fleet, { maintenance: null });
  const targets = [fleetTarget(fleet)];
  draft.event(recordEvent({ action: 'fleet.maintenance_ended', data: { early }, targets }));
  wake(draft, fleet, runIds);
}

/** Jobs that are there get their notice, or may stay; those that wait get places. */
function wake(draft: Draft, fleet: FleetRecord, runIds: readonly Id[]): void {
  const { kind, id } = fleetCapacity(fleet.id);
  draft.signal(kind, id);
  for (const runId of runIds) draft.signal('run', runId);
}

function record(
  draft: Draft,
  fleet: FleetRecord,
  action: 'fleet.maintenance_announced' | 'fleet.maintenance_began',
  { startsAt, endsAt }: MaintenanceTime,
): void {
  const data = { starts_at: formatTimestamp(startsAt), ends_at: formatTimestamp(endsAt) };
  draft.event(recordEvent({ action, data, targets: [fleetTarget(fleet)] }));
}

import { loadArrayRun } from '../arrays/array-rows.ts';
import { isContention, isUniqueViolation } from '../connection/failures.ts';
import { chooseName } from '../context/choose-name.ts';
import type { StoreContext } from '../context/context.ts';
import { refreshAfter } from '../pools/refresh.ts';
import { applyChanges } from './apply.ts';
import { decidedWrite, eventsOf, loadBareRun, updateUnfinishedRuns } from './decided-writes.ts';
import { beginsInTime, endsInTime } from './decision-time.ts';
import { guardGateway, loadGatewayUse } from './gateway-use.ts';
import { hostDependants } from './host-dependants.ts';
import { createIntents } from './intents.ts';
import { localLeases, sharedLeases } from './leases.ts';
import { blockHolders, loadExplainedRun } from './load-explained.ts';
import { loadGroup } from './load-group.ts';
import { loadFleet, loadInstance } from './load-instance.ts';
import { loadCapacity, loadPlacement, waitingFor } from './load-placement.ts';
import { loadPoolQueue } from './load-pool-queue.ts';
import { loadGateway } from './load-resources.ts';
import { loadRun } from './load-run.ts';
import { loadVolume } from './load-volume.ts';
import { createFleet, submitRun } from './submit-run.ts';
import { createTimers } from './timers.ts';
import type { Applied, EngineStore } from './types.ts';

export function createEngine(context: StoreContext): EngineStore {
  const { records } = context;
  return {
    loadRun: (id, memory) => context.read((tx) => loadRun(tx, context, id, memory, context.now())),
    loadPlacement: (poolId, only, withClaims) =>
      context.read((tx) => loadPlacement(tx, context, poolId, only, withClaims)),
    waitingFor: (freed) => context.read((tx) => waitingFor(tx, freed)),
    loadCapacity: (projectId) => context.read((tx) => loadCapacity(tx, context, projectId)),
    loadInstance: (id) => context.read((tx) => loadInstance(tx, context.fleetIndexes, id)),
    loadFleet: (id) => context.read((tx) => loadFleet(tx, records, id)),
    hostDependants: (hostId) => hostDependants(context.db, hostId),
    loadVolume: (id) => context.read((tx) => loadVolume(tx, id)),
    loadExplainedRun: (id, hints, memory) =>
      context.read((tx) => loadExplainedRun(tx, context, id, hints, memory)),
    loadPoolQueue: (projectId, limit, withClaims) =>
      context.read((tx) => loadPoolQueue(tx, context, projectId, limit, withClaims)),
    blockHolders: (ids) => context.read((tx) => blockHolders(tx, ids)),
    loadGroup: (id) => context.read((tx) => loadGroup(tx, records, id)),
    loadGateway: (id) => context.read((tx) => loadGateway(tx, id)),
    apply: createApply(context),
    submitRun: (submit) => submitRun(context, submit),
    createFleet: (create) => createFleet(context, create),
    freeName: (kind, projectId, name) =>
      context.read((tx) => chooseName(tx, kind, projectId, name)),
    updateRun: (id, decide, gateway) =>
      decidedWrite(
        context,
        { table: 'runs', id },
        async (tx, runId) => {
          await guardGateway(context, tx, gateway);
          return await loadBareRun(tx, runId);
        },
        decide,
      ),
    updateArray: (id, decide) => decidedWrite(context, { table: 'runs', id }, loadArrayRun, decide),
    updateInstance: (id, decide) =>
      decidedWrite(
        context,
        { table: 'instances', id },
        (tx) => loadInstance(tx, context.fleetIndexes, id),
        decide,
      ),
    updateFleet: (id, decide) =>
      decidedWrite(context, { table: 'fleets', id }, (tx) => loadFleet(tx, records, id), decide),
    updateVolume: (id, decide) =>
      decidedWrite(context, { table: 'volumes', id }, loadVolume, decide),
    updateGateway: (id, decide) =>
      decidedWrite(context, { table: 'gateways', id }, loadGateway, decide),
    endGateway: (id, decide) =>
      decidedWrite(context, { table: 'gateways', id }, loadGatewayUse, decide),
    updateUnfinishedRuns: (projectId, names, decide) =>
      updateUnfinishedRuns(context, projectId, names, decide),
    ...createTimers(context),
    ...createIntents(context),
    ...(context.postgres ? sharedLeases(context) : localLeases(context)),
    onSignal: (listener, missed) => context.bus.subscribe(listener, missed ?? (() => {})),
    async signal(signals) {
      if (context.postgres) {
        await context.write(async ({ add }) => add({ signals }));
      } else {
        context.bus.deliver(signals);
      }
    },
  };
}

function createApply(context: StoreContext): EngineStore['apply'] {
  const { postgres, shareHalfLife } = context;
  return async (changes, signals, decidedAt) => {
    if (decidedAt !== undefined && !(await beginsInTime(context, decidedAt))) return 'late';
    try {
      return await context.write<Applied>(async (write) => {
        const { add, abort } = write;
        const on = { now: context.now(), postgres, shareHalfLife };
        if (!(await applyChanges(write, changes, on))) abort('conflict');
        await refreshAfter(context, write, changes);
        // Last, since this process may have been stopped in between.
        const isDated = postgres && decidedAt !== undefined;
        if (isDated && !(await endsInTime(write.tx, decidedAt))) abort('late');
        add({ events: eventsOf(changes), signals: signals ?? [] });
        return 'applied';
      });
    } catch (error) {
      // Another writer took the number, or the transaction lost: decide again on the present state.
      if (isUniqueViolation(error) || isContention(error)) return 'conflict';
      throw error;
    }
  };
}

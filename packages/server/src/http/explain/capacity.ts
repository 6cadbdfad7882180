import { notExists } from '@dstack/contract/api';
import type { Explanation } from '@dstack/contract/wire';
import {
  explainFleet,
  explainGateway,
  explainInstance,
  explainVolume,
  type Id,
  type NamedRun,
  withPastTimes,
} from '@dstack/core';
import type { HttpDeps } from '../ports.ts';
import { type Asker, explainContext, explanation, onTarget, subjectOf } from './service.ts';

/** Names of instances: `<fleet>-<number>`. */
const INSTANCE_NAME = /^(.+)-(\d{1,9})$/;

export async function explainInstanceNamed(
  deps: HttpDeps,
  asker: Asker,
  name: string,
): Promise<Explanation> {
  const { store } = deps;
  const [, fleetName = '', num = ''] = INSTANCE_NAME.exec(name) ?? [];
  const fleet = await store.fleets.byName(asker.project.id, fleetName);
  const found = fleet && (await store.instances.byNum(fleet.fleet.id, Number(num)));
  const loaded = found ? await store.engine.loadInstance(found.id) : null;
  if (loaded === null) throw notExists(`Instance ${name} not found`);
  const snapshot = withPastTimes(loaded, deps.context());
  const { instance } = snapshot;
  const holders = await store.engine.blockHolders([instance.id]);
  const projectNames = await namesOf(deps, runsOf(holders));
  const ctx = await explainContext(deps, asker);
  const diagnosis = explainInstance({ instance: snapshot, holders, projectNames }, ctx);
  return await explanation(
    deps,
    asker,
    subjectOf('instance', instance),
    diagnosis,
    onTarget('instance', instance.id),
  );
}

export async function explainFleetNamed(
  deps: HttpDeps,
  asker: Asker,
  name: string,
): Promise<Explanation> {
  const { store } = deps;
  const found = await store.fleets.byName(asker.project.id, name);
  const loaded = found ? await store.engine.loadFleet(found.fleet.id) : null;
  if (loaded === null) throw notExists(`Fleet ${name} not found`);
  const snapshot = withPastTimes(loaded, deps.context());
  const { fleet, instances } = snapshot;
  const shown = instances.slice(0, SHOWN);
  const holders = await store.engine.blockHolders(shown.map((one) => one.id));
  const hosts = await Promise.all(
    shown.flatMap(({ hostId }) => (hostId === null ? [] : [store.hosts.byId(hostId)])),
  );
  const projectNames = await namesOf(deps, runsOf(holders));
  const known = hosts.filter((host) => host !== null);
  const input = {
    fleet: snapshot,
    holders,
    projectNames,
    ...withPastTimes({ hosts: known }, deps.context()),
  };
  const diagnosis = explainFleet(input, await explainContext(deps, asker));
  const within = { within: { kind: 'fleet', ids: [fleet.id] } } as const;
  return await explanation(deps, asker, subjectOf('fleet', fleet), diagnosis, within);
}

/** The maximum number of instances whose runs and hosts are loaded. */
const SHOWN = 100;

const runsOf = (holders: readonly { readonly run: NamedRun }[]) => holders.map(({ run }) => run);

/** Names of the projects that the runs belong to. */
async function namesOf(
  { store }: HttpDeps,
  runs: readonly NamedRun[],
): Promise<Record<Id, string>> {
  const ids = [...new Set(runs.map((run) => run.projectId))];
  const projects = await Promise.all(ids.map((id) => store.projects.byId(id)));
  return Object.fromEntries(projects.flatMap((one) => (one === null ? [] : [[one.id, one.name]])));
}

export async function explainVolumeNamed(
  deps: HttpDeps,
  asker: Asker,
  name: string,
): Promise<Explanation> {
  const view = await deps.store.volumes.byName(asker.project.id, name);
  const loaded = view ? await deps.store.engine.loadVolume(view.volume.id) : null;
  if (loaded === null) throw notExists(`Volume ${name} not found`);
  const snapshot = withPastTimes(loaded, deps.context());
  const { volume } = snapshot;
  const diagnosis = explainVolume(snapshot, await explainContext(deps, asker));
  return await explanation(
    deps,
    asker,
    subjectOf('volume', volume),
    diagnosis,
    onTarget('volume', volume.id),
  );
}

export async function explainGatewayNamed(
  deps: HttpDeps,
  asker: Asker,
  name: string,
): Promise<Explanation> {
  const { store } = deps;
  const view = await store.gateways.byName(asker.project.id, name);
  const loaded = view ? await store.engine.loadGateway(view.gateway.id) : null;
  if (loaded === null) throw notExists(`Gateway ${name} not found`);
  const snapshot = withPastTimes(loaded, deps.context());
  const { gateway } = snapshot;
  const runs = await store.runs.onGateway(gateway.id);
  const ctx = await explainContext(deps, asker);
  const projectNames = await namesOf(deps, runs);
  const diagnosis = explainGateway({ gateway: snapshot, services: runs, projectNames }, ctx);
  const within = { within: { kind: 'gateway', ids: [gateway.id] } } as const;
  return await explanation(deps, asker, subjectOf('gateway', gateway), diagnosis, within);
}

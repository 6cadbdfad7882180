import type { Id, VolumeHandle, VolumeObservation } from '@dstack/core';
import { BackendError, NoAnswerError } from '../base/errors.ts';
import type { DirectoryPlace, VolumeOrder, VolumePort } from '../base/volume-port.ts';

/** A directory that holds a volume. */
export interface Directory {
  /** Id of the volume: the name of the directory. */
  readonly id: Id;
  /** Directory of a shared file system; null = the agent's own. */
  readonly path: string | null;
}

/**
 * The agents of hosts, as far as they manage directories. Every call throws `NoAnswerError` while
 * the agent cannot be reached, and another `BackendError` if it refuses.
 */
export interface DirectoryAgents {
  /** Hosts of a fleet whose agents are connected. */
  connectedHosts(fleetId: Id): Promise<readonly string[]>;
  /** Does nothing if it exists. */
  create(
    hostId: string,
    directory: Directory & { readonly name: string; readonly project: string },
  ): Promise<void>;
  /** Null: it does not exist. `usedBytes` null: not measured yet. */
  find(hostId: string, directory: Directory): Promise<{ readonly usedBytes: number | null } | null>;
  delete(hostId: string, directory: Directory): Promise<'deleted' | 'deleting'>;
}

/** `data` of a handle. */
interface Data extends DirectoryPlace {
  readonly sizeGib: number | null;
}

const GIB = 2 ** 30;

/**
 * Volumes that are directories of hosts: on the disk of one host, or on a file system that all
 * hosts of a fleet share. Any number of jobs can mount one at the same time, so there is nothing to
 * attach: `attach` only verifies that the directory exists.
 */
export function directoryVolumes(agents: DirectoryAgents): VolumePort {
  return {
    async create(order) {
      const { directory: place } = order;
      if (place === null) throw new BackendError('the volume has no place on a host');
      const { volumeId: id, name, owner } = order;
      const directory = { id, path: place.path, name, project: owner.project };
      const handle = handleOf(order, place);
      try {
        await onSomeHost(agents, place, (host) => agents.create(host, directory));
      } catch (error) {
        // The refusal of a repetition: the first attempt has made it, and its answer was lost.
        if (error instanceof NoAnswerError || !(await exists(agents, handle))) throw error;
      }
      return handle;
    },
    register: async () => {
      throw new BackendError(
        'a directory of a host cannot be registered as a volume: mount it by its path',
      );
    },
    async observe(handle): Promise<VolumeObservation> {
      const { sizeGib, ...place } = placeOf(handle);
      const found = await onSomeHost(agents, place, (host) =>
        agents.find(host, { id: handle.id, path: place.path }),
      );
      if (found === null) return { state: 'missing' };
      const usedGib = found.usedBytes === null ? null : found.usedBytes / GIB;
      const more = { availabilityZone: null, price: 0, shared: true };
      return { state: 'ready', sizeGib, usedGib, ...more };
    },
    async delete(handle) {
      const place = placeOf(handle);
      const directory = { id: handle.id, path: place.path };
      return await onSomeHost(agents, place, (host) => agents.delete(host, directory));
    },
    async attach(handle, to) {
      const { hostId, path } = placeOf(handle);
      const found = await agents.find(hostId ?? to.id, { id: handle.id, path });
      if (found === null) throw new BackendError(missingText(path));
      return { state: 'attached', device: null };
    },
    detach: async () => ({ state: 'detached' }),
    // Directories cost nothing, and only the agents of connected hosts could list theirs.
    list: async () => [],
  };
}

async function exists(agents: DirectoryAgents, handle: VolumeHandle): Promise<boolean> {
  const directory = directoryOf(handle);
  const find = (host: string) => agents.find(host, directory);
  return (await onSomeHost(agents, placeOf(handle), find)) !== null;
}

function missingText(path: string | null): string {
  return path === null
    ? 'its directory does not exist on the host any more'
    : `its directory is not in ${path} on the host: is the shared file system mounted there?`;
}

function handleOf({ volumeId, region, sizeGib }: VolumeOrder, place: DirectoryPlace): VolumeHandle {
  const { hostId, fleetId, path } = place;
  const data: Data = { hostId, fleetId, path, sizeGib };
  return { id: volumeId, region, data: JSON.stringify(data) };
}

function placeOf({ data }: VolumeHandle): Data {
  return JSON.parse(data ?? '{}') as Data;
}

async function hostsOf(
  agents: DirectoryAgents,
  { hostId, fleetId }: DirectoryPlace,
): Promise<readonly string[]> {
  if (hostId !== null) return [hostId];
  const hosts = fleetId === null ? [] : await agents.connectedHosts(fleetId);
  if (hosts.length === 0) throw new NoAnswerError('no host of its fleet is connected');
  return hosts;
}

/**
 * Asks one host after another until one has the directory or agrees, since the shared file system may not
 * be mounted on all of them. Null: no host has it. Throws if none agreed and one has refused or, which
 * goes before, has not answered.
 */
async function onSomeHost<T>(
  agents: DirectoryAgents,
  place: DirectoryPlace,
  ask: (host: string) => Promise<T>,
): Promise<T> {
  let failure: BackendError | null = null;
  let none: T | null = null;
  for (const host of await hostsOf(agents, place)) {
    try {
      const answer = await ask(host);
      if (answer !== null) return answer;
      none = answer;
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      if (!(failure instanceof NoAnswerError)) failure = error;
    }
  }
  if (failure !== null) throw failure;
  return none as T;
}

/** The directory of a handle, for the mounts of jobs. */
export function directoryOf(handle: VolumeHandle): Directory {
  return { id: handle.id, path: placeOf(handle).path };
}

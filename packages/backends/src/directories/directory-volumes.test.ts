import { beforeEach, describe, expect, it } from 'vitest';
import { BackendError, NoAnswerError } from '../base/errors.ts';
import type { DirectoryPlace, VolumeOrder } from '../base/volume-port.ts';
import { type DirectoryAgents, directoryOf, directoryVolumes } from './directory-volumes.ts';

/** Hosts in memory: `<host> <path> <id>`. */
let directories: Map<string, number | null>;
let connected: string[];
/** Hosts on which the shared file system is not mounted. */
let unmounted: string[];

const agents: DirectoryAgents = {
  connectedHosts: async () => connected,
  async create(host, { id, path }) {
    reach(host);
    requireMount(host, path);
    if (!directories.has(key(host, path, id))) directories.set(key(host, path, id), null);
  },
  async find(host, { id, path }) {
    reach(host);
    const isMounted = path === null || !unmounted.includes(host);
    const usedBytes = isMounted ? directories.get(key(host, path, id)) : undefined;
    return usedBytes === undefined ? null : { usedBytes };
  },
  async delete(host, { id, path }) {
    reach(host);
    requireMount(host, path);
    directories.delete(key(host, path, id));
    return 'deleted';
  },
};

function reach(host: string): void {
  if (!connected.includes(host)) throw new NoAnswerError(`${host} is not connected`);
}

function requireMount(host: string, path: string | null): void {
  if (path !== null && unmounted.includes(host)) throw new BackendError(`no ${path} on ${host}`);
}

/** Hosts have the same files only in a shared path. */
const key = (host: string, path: string | null, id: string) =>
  path === null ? `${host} ${id}` : `${path} ${id}`;

const volumes = directoryVolumes(agents);

const order = (directory: DirectoryPlace): VolumeOrder => ({
  ...{ key: 'volume.create:v:0', volumeId: 'v', name: 'data', region: 'ssh:gpus', sizeGib: 10 },
  ...{
    owner: { server: 's', project: 'main', fleet: '', instance: 'data' },
    availabilityZone: null,
    tags: {},
    directory,
  },
});
const onHost = order({ hostId: 'a', fleetId: 'f', path: null });
const shared = order({ hostId: null, fleetId: 'f', path: '/mnt/nfs' });

beforeEach(() => {
  directories = new Map();
  connected = ['a', 'b'];
  unmounted = [];
});

describe('a volume on the disk of a host', () => {
  it('is made once, found, and deleted', async () => {
    const handle = await volumes.create(onHost);
    expect(await volumes.create(onHost)).toEqual(handle);
    expect([...directories.keys()]).toEqual(['a v']);
    directories.set('a v', 3 * 2 ** 30);
    expect(await volumes.observe(handle)).toEqual({
      ...{ state: 'ready', sizeGib: 10, usedGib: 3, availabilityZone: null },
      ...{ price: 0, shared: true },
    });
    expect(await volumes.delete(handle)).toBe('deleted');
    expect(await volumes.delete(handle)).toBe('deleted');
    expect(await volumes.observe(handle)).toEqual({ state: 'missing' });
  });

  it('is found if the answer was lost and the host refuses the repetition', async () => {
    const full = directoryVolumes({
      ...agents,
      create: async () => {
        throw new BackendError('No space left on device');
      },
    });
    await expect(full.create(onHost)).rejects.toThrow('No space left on device');
    const handle = await volumes.create(onHost);
    expect(await full.create(onHost)).toEqual(handle);
  });

  it('is observed at the host that has it only', async () => {
    const handle = await volumes.create(onHost);
    expect(await volumes.attach(handle, { id: 'a', data: null })).toEqual({
      ...{ state: 'attached', device: null },
    });
    connected = ['b'];
    await expect(volumes.observe(handle)).rejects.toThrow(NoAnswerError);
    await expect(volumes.create(onHost)).rejects.toThrow(NoAnswerError);
    await expect(volumes.delete(handle)).rejects.toThrow(NoAnswerError);
  });

  it('is not attached if its directory is missing', async () => {
    const handle = await volumes.create(onHost);
    directories.clear();
    const attachment = volumes.attach(handle, { id: 'a', data: null });
    await expect(attachment).rejects.toThrow('does not exist on the host any more');
    expect(await volumes.detach(handle, { id: 'a', data: null }, { force: false })).toEqual({
      state: 'detached',
    });
  });
});

describe('a volume on a file system that hosts share', () => {
  it('is made by any host, and seen by all', async () => {
    const handle = await volumes.create(shared);
    connected = ['b'];
    expect(await volumes.observe(handle)).toMatchObject({ state: 'ready' });
    expect(await volumes.attach(handle, { id: 'b', data: null })).toMatchObject({
      state: 'attached',
    });
    expect(directoryOf(handle)).toEqual({ id: 'v', path: '/mnt/nfs' });
    expect(await volumes.delete(handle)).toBe('deleted');
    connected = [];
    await expect(volumes.observe(handle)).rejects.toThrow('no host of its fleet is connected');
  });

  it('is made and deleted by a host on which it is mounted', async () => {
    unmounted = ['a'];
    const handle = await volumes.create(shared);
    expect(await volumes.observe(handle)).toMatchObject({ state: 'ready' });
    expect(await volumes.delete(handle)).toBe('deleted');
    expect(directories.size).toBe(0);
    unmounted = ['a', 'b'];
    await expect(volumes.create(shared)).rejects.toThrow('no /mnt/nfs on b');
    await expect(volumes.delete(handle)).rejects.toThrow(BackendError);
  });

  it('is observed by a host that answers, and missing only if all have answered', async () => {
    const handle = await volumes.create(shared);
    const silent = directoryVolumes({
      ...agents,
      find: async (host, directory) => {
        if (host === 'a') throw new NoAnswerError('a does not answer');
        return await agents.find(host, directory);
      },
    });
    expect(await silent.observe(handle)).toMatchObject({ state: 'ready' });
    unmounted = ['b'];
    await expect(silent.observe(handle)).rejects.toThrow('a does not answer');
    unmounted = ['a', 'b'];
    expect(await volumes.observe(handle)).toEqual({ state: 'missing' });
  });

  it('waits for a host that does not answer, though another refuses', async () => {
    const handle = await volumes.create(shared);
    unmounted = ['a'];
    connected = ['a', 'b', 'c'];
    const answers = directoryVolumes({
      ...agents,
      delete: async (host, directory) => {
        if (host !== 'a') throw new NoAnswerError(`${host} does not answer`);
        return await agents.delete(host, directory);
      },
    });
    await expect(answers.delete(handle)).rejects.toThrow(NoAnswerError);
  });

  it('is not attached to a host where it is not mounted', async () => {
    const handle = await volumes.create(shared);
    directories.clear();
    const attachment = volumes.attach(handle, { id: 'b', data: null });
    await expect(attachment).rejects.toThrow('is the shared file system mounted there?');
  });
});

it('a directory of the user cannot be registered', async () => {
  await expect(volumes.register('/data', { region: 'local' })).rejects.toThrow(BackendError);
});

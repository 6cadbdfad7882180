import { beforeEach, describe, expect, it } from 'vitest';
import { BackendError, NoAnswerError } from '../base/errors.ts';
import type { DirectoryPlace, VolumeOrder } from '../base/port.ts';
import { type DirectoryAgents, directoryOf, directoryVolumes } from './directory-volumes.ts';

/** Hosts in memory: `<host> <path> <id>`. */
let directories: Map<string, number | null>;
let connected: string[];

const agents: DirectoryAgents = {
  connectedHosts: async () => connected,
  async create(host, { id, path }) {
    reach(host);
    if (!directories.has(key(host, path, id))) directories.set(key(host, path, id), null);
  },
  async find(host, { id, path }) {
    reach(host);
    const usedBytes = directories.get(key(host, path, id));
    return usedBytes === undefined ? null : { usedBytes };
  },
  async delete(host, { id, path }) {
    reach(host);
    directories.delete(key(host, path, id));
    return 'deleted';
  },
};

function reach(host: string): void {
  if (!connected.includes(host)) throw new NoAnswerError(`${host} is not connected`);
}

/** Hosts have the same files only in a shared path. */
const key = (host: string, path: string | null, id: string) =>
  path === null ? `${host} ${id}` : `${path} ${id}`;

const volumes = directoryVolumes(agents);

const order = (directory: DirectoryPlace): VolumeOrder => ({
  ...{ key: 'volume.create:v:0', volumeId: 'v', name: 'data', region: 'ssh:gpus', sizeGib: 10 },
  ...{ owner: { server: 's', project: 'main' }, availabilityZone: null, tags: {}, directory },
});
const onHost = order({ hostId: 'a', fleetId: 'f', path: null });
const shared = order({ hostId: null, fleetId: 'f', path: '/mnt/nfs' });

beforeEach(() => {
  directories = new Map();
  connected = ['a', 'b'];
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

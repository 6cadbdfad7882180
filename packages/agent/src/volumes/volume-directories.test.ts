import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEventLogger } from '../host/log.ts';
import { VolumeDirectories } from './volume-directories.ts';
import { dataOf } from './volume-layout.ts';

const ID = '6e1b1b3e-5a5b-4d0e-8f6a-3a2f3c1d0e9f';
const OWN = { path: null };

let dir: string;
let state: string;
let mounted: Set<string>;
let unmounted: string[];
let whyNoMounts: string | null;
let volumes: VolumeDirectories;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'volumes-'));
  state = join(dir, 'state');
  mounted = new Set();
  unmounted = [];
  whyNoMounts = null;
  volumes = new VolumeDirectories({
    stateDir: state,
    whyNoMounts: () => whyNoMounts,
    isMounted: (id) => mounted.has(id),
    devices: { unmount: async (id, device) => void unmounted.push(`${id} ${device}`) },
    log: createEventLogger(() => {}),
  });
});
afterEach(() => {
  volumes.close();
  rmSync(dir, { recursive: true });
});

const put = (path: string | null = null) =>
  volumes.put(ID, { path, name: 'data', project: 'main' });

describe('the directory of a volume', () => {
  it('is created once, for users of jobs only', async () => {
    await put();
    const root = join(state, 'volumes');
    const data = await dataOf(state, { id: ID, path: null });
    expect(data).toBe(join(root, ID, 'data'));
    expect(statSync(root).mode & 0o777).toBe(0o700);
    expect(statSync(data ?? '').mode & 0o777).toBe(0o777);
    expect(JSON.parse(readFileSync(join(root, ID, 'volume.json'), 'utf8'))).toMatchObject({
      ...{ id: ID, name: 'data', project: 'main' },
    });
    writeFileSync(join(data ?? '', 'file'), 'kept');
    await put();
    expect(readFileSync(join(data ?? '', 'file'), 'utf8')).toBe('kept');
    expect(readdirSync(root)).toEqual([ID]);
  });

  it('is complete or missing, also after a crash in between', async () => {
    mkdirSync(join(state, 'volumes', `.new-${ID}-1`, 'data'), { recursive: true });
    expect(await dataOf(state, { id: ID, path: null })).toBeNull();
    await put();
    expect(await dataOf(state, { id: ID, path: null })).not.toBeNull();
  });

  it('is not made where no job could mount it', async () => {
    whyNoMounts = 'the agent needs root';
    await expect(put()).rejects.toMatchObject({ status: 409, code: 'no_mounts' });
    expect(existsSync(state)).toBe(false);
  });

  it('is deleted with its contents, and again without an error', async () => {
    await put();
    const data = (await dataOf(state, { id: ID, path: null })) ?? '';
    mkdirSync(join(data, 'deep'));
    writeFileSync(join(data, 'deep', 'file'), 'x');
    expect(await volumes.remove(ID, OWN)).toEqual({ deleted: true });
    expect(await volumes.remove(ID, OWN)).toEqual({ deleted: true });
    expect(readdirSync(join(state, 'volumes'))).toEqual([]);
  });

  it('whose deletion was cut short is deleted by the next attempt', async () => {
    mkdirSync(join(state, 'volumes', `.deleted-${ID}`, 'data'), { recursive: true });
    expect(await volumes.remove(ID, OWN)).toEqual({ deleted: true });
    expect(readdirSync(join(state, 'volumes'))).toEqual([]);
  });

  it('is not deleted while a job mounts it', async () => {
    await put();
    mounted.add(ID);
    const removal = volumes.remove(ID, OWN);
    await expect(removal).rejects.toMatchObject({ code: 'volume_in_use' });
    expect(await volumes.state(ID, OWN)).toEqual({ used_bytes: null });
  });

  it('is unknown before it is made and after it is deleted', async () => {
    const unknown = { status: 404, code: 'unknown_volume' };
    await expect(volumes.state(ID, OWN)).rejects.toMatchObject(unknown);
    await put();
    await volumes.state(ID, OWN);
    await volumes.remove(ID, OWN);
    await expect(volumes.state(ID, OWN)).rejects.toMatchObject(unknown);
  });
});

describe('the directory of a volume on a shared file system', () => {
  it('lies in a folder of ours, and leaves everything else there unchanged', async () => {
    const path = join(dir, 'nfs');
    mkdirSync(path);
    writeFileSync(join(path, 'of-somebody'), 'else');
    await put(path);
    expect(await dataOf(state, { id: ID, path })).toBe(join(path, 'dstack-volumes', ID, 'data'));
    expect(await volumes.remove(ID, { path })).toEqual({ deleted: true });
    expect(readdirSync(path).sort()).toEqual(['dstack-volumes', 'of-somebody']);
  });

  it('is not made where that file system is not mounted', async () => {
    const path = join(dir, 'nfs');
    await expect(put(path)).rejects.toMatchObject({ code: 'missing_path' });
    expect(existsSync(path)).toBe(false);
  });

  it('counts as deleted only where that file system is mounted', async () => {
    const path = join(dir, 'nfs');
    mkdirSync(path);
    await put(path);
    renameSync(path, `${path}-away`);
    const refusal = { status: 409, code: 'missing_path' };
    await expect(volumes.remove(ID, { path })).rejects.toMatchObject(refusal);
    // The mount point of a file system that is not mounted is an empty directory.
    mkdirSync(path);
    await expect(volumes.remove(ID, { path })).rejects.toMatchObject(refusal);
    rmSync(path, { recursive: true });
    renameSync(`${path}-away`, path);
    expect(await volumes.remove(ID, { path })).toEqual({ deleted: true });
    expect(await volumes.remove(ID, { path })).toEqual({ deleted: true });
  });
});

describe('the device of a volume', () => {
  it('is unmounted when its provider is to detach it, but not under a job', async () => {
    mounted.add(ID);
    await expect(volumes.unmount(ID, { device: '/dev/sdf' })).rejects.toMatchObject({
      code: 'volume_in_use',
    });
    expect(unmounted).toEqual([]);
    mounted.delete(ID);
    await volumes.unmount(ID, { device: '/dev/sdf' });
    expect(unmounted).toEqual([`${ID} /dev/sdf`]);
  });
});

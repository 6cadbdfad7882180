import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hostMounts } from './host-mounts.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'mounts-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const mount = (source: string, optional = false) => {
  return { source, target: '/x', read_only: false, optional, volume: null };
};

describe('directories of the host that a job mounts', () => {
  it('are created if they are missing, open to all users', async () => {
    const source = join(dir, 'deep', 'data');
    expect(await hostMounts([mount(source)], [])).toEqual({
      mounts: [{ source, target: '/x', readOnly: false }],
      notices: [],
    });
    expect(statSync(source).mode & 0o777).toBe(0o777);
    expect(statSync(join(dir, 'deep')).mode & 0o777).toBe(0o755);
  });

  it('are left out if they are missing and optional, with a notice in the output', async () => {
    const source = join(dir, 'data');
    const { mounts, notices } = await hostMounts([mount(source, true)], []);
    expect(mounts).toEqual([]);
    expect(notices).toEqual([
      `the optional volume ${source}:/x is left out, since ${source} does not exist on the host`,
    ]);
    expect(existsSync(source)).toBe(false);
  });

  it('are neither mounted nor created in forbidden places', async () => {
    const state = join(dir, 'state');
    mkdirSync(state);
    symlinkSync(state, join(dir, 'link'));
    for (const source of [state, dir, '/', join(state, 'new'), join(dir, 'link', 'new', 'er')]) {
      await expect(hostMounts([mount(source)], [state])).rejects.toThrow(
        `${source} cannot be mounted into a job, it holds ${state}`,
      );
    }
    expect(existsSync(join(state, 'new'))).toBe(false);
  });

  it('are identified by the targets of links', async () => {
    mkdirSync(join(dir, 'real'));
    symlinkSync('real', join(dir, 'link'));
    const { mounts } = await hostMounts([mount(join(dir, 'link'))], []);
    expect(mounts[0]?.source).toBe(join(dir, 'real'));
  });
});

describe('volumes that a job mounts', () => {
  const volume = { id: 'v', path: null, device: null };
  const asked = { source: '', target: '/data', read_only: false, optional: false, volume };

  it('are mounted from where the agent keeps them, although no job may see its state', async () => {
    const data = join(dir, 'state', 'volumes', 'v', 'data');
    const volumes = { dataOf: async () => data };
    const { mounts } = await hostMounts([asked], [join(dir, 'state')], volumes);
    expect(mounts).toEqual([{ source: data, target: '/data', readOnly: false }]);
  });

  it('are never made for a job: it fails without them', async () => {
    const mounts = hostMounts([asked], [], { dataOf: async () => null });
    await expect(mounts).rejects.toMatchObject({ reason: 'volume_error' });
    const shared = { ...asked, volume: { id: 'v', path: '/mnt/nfs', device: null } };
    const elsewhere = hostMounts([shared], [], { dataOf: async () => null });
    await expect(elsewhere).rejects.toThrow('in /mnt/nfs on this host');
  });
});

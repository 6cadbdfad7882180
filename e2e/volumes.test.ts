import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  applyFleet,
  isFinished,
  isRunning,
  newInstallation,
  submit,
  untilRun,
} from './installation.ts';
import { OfficialClient, officialClient } from './official-client/official-client.ts';
import {
  applyVolume,
  findVolume,
  isDeleted,
  runWith,
  untilVolume,
  volumeEvents,
} from './volumes.ts';

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn('Volumes of process jobs are NOT tested: mounts need root');

describe.skipIf(!isRoot)('a volume on the machine of the server', () => {
  let home: Installation;
  beforeAll(async () => {
    home = newInstallation();
    await home.startServer();
    await applyFleet(home, '0..2');
  });
  afterAll(() => home?.dispose());

  const directories = () => {
    const root = join(home.serverDir, 'agent', 'volumes');
    return existsSync(root) ? readdirSync(root) : [];
  };

  it('keeps what a run has written for the next one', async () => {
    const shown = await applyVolume(home, 'data', 'local', 'size: 1GB\n');
    expect(shown).toMatch(/data +remote \(local\) +active/);
    const volume = await findVolume(home, 'data');
    expect(volume?.configuration).toMatchObject({ backend: 'kubernetes', region: 'ssh:local' });
    expect(directories()).toEqual([volume?.volume_id]);
    const first = await runWith(home, 'writer', "'data:/mnt'", ['echo kept > /mnt/file', 'id -u']);
    expect(first.run.status).toBe('done');
    const commands = ['cat /mnt/file', 'echo more >> /mnt/file', 'id -u'];
    const second = await runWith(home, 'reader', "'data:/mnt'", commands);
    expect(second.run.status).toBe('done');
    expect(second.logs).toContain('kept');
    const { latest_job_submission: submission } = second.run;
    expect(submission).toMatchObject({ job_runtime_data: { volume_names: ['data'] } });
  });

  it('is shown with its run, and not deleted under it', async () => {
    await submit(home, 'user', ['sleep 1000'], "volumes: ['data:/mnt']\n");
    await untilRun(home, 'user', isRunning);
    const { code, stdout, stderr } = await home.dstack(['volume', 'delete', 'data', '-y']);
    expect(code).toBe(1);
    expect(stdout + stderr).toContain('Volume is in use by run user');
    expect((await findVolume(home, 'data'))?.attachments).toHaveLength(1);
    expect(await home.ok('explain', 'volume', 'data')).toContain('is used by user');
    await home.ok('stop', 'user', '-y', '-x');
    await untilRun(home, 'user', isFinished);
    expect((await findVolume(home, 'data'))?.attachments).toEqual([]);
  });

  it('takes its data along when it is deleted', async () => {
    const id = (await findVolume(home, 'data'))?.id ?? '';
    await home.ok('volume', 'delete', 'data', '-y');
    await untilVolume(home, 'data', isDeleted);
    expect(directories()).toEqual([]);
    expect((await volumeEvents(home, id)).slice(0, 3)).toEqual([
      'Volume created. Status: SUBMITTED',
      'Volume status changed SUBMITTED -> PROVISIONING',
      'Volume status changed PROVISIONING -> ACTIVE',
    ]);
    expect((await volumeEvents(home, id)).slice(-2)).toEqual([
      'Volume marked for deletion',
      'Volume deleted',
    ]);
  });

  it('is deleted automatically when it was unused for its time', async () => {
    const configuration = {
      ...{ type: 'volume', name: 'brief', backend: 'kubernetes', region: 'ssh:local' },
      auto_cleanup_duration: '1s',
    };
    const create = '/api/project/main/volumes/create';
    const { id } = await home.api<{ id: string }>(create, { configuration });
    await untilVolume(home, 'brief', isDeleted);
    expect(await volumeEvents(home, id)).toContain(
      'Volume marked for deletion due to auto-cleanup',
    );
    expect(directories()).toEqual([]);
  });

  it('that does not exist is refused, and so is one at two paths', async () => {
    const refused = async (volumes: string) => {
      const submitted = submit(home, 'refused', ['true'], `volumes: [${volumes}]\n`);
      return await submitted.catch((error: Error) => error.message);
    };
    expect(await refused("'nosuch:/mnt'")).toContain('Volume nosuch not found');
    await applyVolume(home, 'twice', 'local');
    expect(await refused("'twice:/mnt', 'twice:/srv'")).toContain('Volume twice is mounted twice');
    await home.ok('volume', 'delete', 'twice', '-y');
  });

  it('survives that the server is killed between any two steps', async () => {
    const kill = async () => {
      await home.stopServer('SIGKILL');
      await home.startServer();
    };
    const configuration = {
      ...{ type: 'volume', name: 'tough', backend: 'kubernetes', region: 'ssh:local' },
    };
    await home.api('/api/project/main/volumes/create', { configuration });
    await kill();
    await untilVolume(home, 'tough', (volume) => volume?.status === 'active');
    expect(directories()).toHaveLength(1);

    await submit(
      home,
      'holder',
      ['echo kept > /mnt/file; sleep 1000'],
      "volumes: ['tough:/mnt']\n",
    );
    await kill();
    await untilRun(home, 'holder', isRunning);
    await kill();
    expect((await findVolume(home, 'tough'))?.attachments).toHaveLength(1);
    await home.api('/api/project/main/runs/stop', { runs_names: ['holder'], abort: true });
    await kill();
    await untilRun(home, 'holder', isFinished);
    await untilVolume(home, 'tough', (volume) => volume?.attachments.length === 0);
    const { logs } = await runWith(home, 'after', "'tough:/mnt'", ['cat /mnt/file']);
    expect(logs).toContain('kept');

    await home.api('/api/project/main/volumes/delete', { names: ['tough'] });
    await kill();
    await untilVolume(home, 'tough', isDeleted);
    expect(directories()).toEqual([]);
  });

  const { path, missing } = officialClient('0.22.5');
  it.skipIf(missing !== null)('is listed and deleted by the official client', async () => {
    await applyVolume(home, 'official', 'local', 'size: 2GB\n');
    const client = new OfficialClient(path ?? '', join(home.home, 'client'));
    await client.ok(
      ...['project', 'add', '--name', 'main', '--url', home.url],
      ...['--token', home.token(), '-y'],
    );
    expect(await client.ok('volume', 'list', '-v')).toMatch(/official +kubernetes +ssh:local/);
    await client.ok('volume', 'delete', 'official', '-y');
    await untilVolume(home, 'official', isDeleted);
    expect(directories()).toEqual([]);
  });
});

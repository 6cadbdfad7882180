/** Requests about the place of a run in the queue, and runs that are submitted again. */
import { hash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run as runWork } from '../../loops/work/run.ts';
import { LOCAL_OFFER } from '../testing/offers.ts';
import { passDeps } from '../testing/pass-deps.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
let bob: string;
beforeAll(async () => {
  server = await startTestServer();
  server.offers.push(LOCAL_OFFER);
  await server.call('/api/users/create', { username: 'bob', global_role: 'user' });
  bob = (await server.call('/api/users/get_user', { username: 'bob' })).body.creds.token;
  const members = [{ username: 'bob', project_role: 'user' }];
  await server.call('/api/projects/main/add_members', { members });
});
afterAll(() => server.close());

const path = (call: string) => `/api/project/main/runs/${call}`;
const call = (name: string, body: object, token = server.token) =>
  server.call(path(name), body, { token });
const get = async (run_name: string) => (await call('get', { run_name })).body;

async function submit(name: string, more: object = {}, token = server.token) {
  const configuration = { type: 'task', commands: ['echo'], retry: true };
  const run_spec = { run_name: name, configuration, ssh_key_pub: 'ssh-rsa AAAA x', ...more };
  const answer = await call('apply', { plan: { run_spec }, force: false }, token);
  expect(answer.text).toContain('"submitted"');
  return answer.body;
}

async function pass(id: string): Promise<void> {
  await runWork.work(passDeps(server))(id);
}

describe('hold and release', () => {
  it('take a run out of the queue and let it in again, as clients of 0.22.5 can read', async () => {
    const { id } = await submit('held');
    expect((await call('hold', { runs_names: ['held'] }, bob)).status).toBe(200);
    await pass(id);
    const held = await get('held');
    expect(held).toMatchObject({
      ...{ status: 'pending', status_message: 'held', jobs: [], next_triggered_at: null },
      hold: { by: 'bob', since: expect.stringMatching(/^20/) },
    });
    const explained = await server.call('/api/project/main/explain/runs/held', undefined, {
      method: 'GET',
    });
    expect(explained.body).toMatchObject({ state: 'held', waiting_for: 'held' });
    expect((await call('hold', { runs_names: ['held'] })).status).toBe(200);
    await call('release', { runs_names: ['held'] });
    await pass(id);
    const released = await get('held');
    expect(released).toMatchObject({ status: 'submitted', jobs: [expect.anything()] });
    expect('hold' in released).toBe(false);
  });

  it.each([
    ['hold', ['waits', 'nosuch'], 'Run nosuch not found'],
    ['hold', ['waits', 'over'], 'Run over is termin'],
    ['release', ['waits'], 'Run waits is not held'],
  ])('%s %j changes none of them', async (what, runs_names, text) => {
    if (what === 'hold' && runs_names.includes('nosuch')) {
      await submit('waits');
      await submit('over');
      await call('stop', { runs_names: ['over'], abort: true });
    }
    const refused = await call(what, { runs_names });
    expect([refused.status, refused.text]).toEqual([400, expect.stringContaining(text)]);
    expect('hold' in (await get('waits'))).toBe(false);
  });
});

describe('the priority of a run', () => {
  it('changes in place, for the jobs that wait too, and its deployment stays', async () => {
    const { id } = await submit('urgent');
    expect((await call('set_priority', { run_name: 'urgent', priority: 70 })).status).toBe(200);
    await pass(id);
    const view = await server.store.runs.byId(id);
    expect(view?.run).toMatchObject({ priority: 70, deploymentNum: 0 });
    expect(view?.jobs).toMatchObject([{ priority: 70 }]);
    expect((await get('urgent')).run_spec.configuration.priority).toBe(70);
    expect((await call('set_priority', { run_name: 'urgent', priority: 101 })).status).toBe(422);
    await call('stop', { runs_names: ['urgent'], abort: true });
    const refused = await call('set_priority', { run_name: 'urgent', priority: 1 });
    expect(refused.text).toContain('its priority cannot be changed');
  });

  it('is the one change of an update by file that leaves the run waiting where it was', async () => {
    const before = await submit('by-file');
    const configuration = { type: 'task', commands: ['echo'], retry: true, priority: 5 };
    const run_spec = { run_name: 'by-file', configuration, ssh_key_pub: 'ssh-rsa AAAA x' };
    const plan = { run_spec, current_resource: before };
    const after = await call('apply', { plan, force: false });
    expect(after.body).toMatchObject({ id: before.id, status: 'submitted' });
  });
});

describe('rerun', () => {
  const end = async (id: string, name: string) => {
    await call('stop', { runs_names: [name], abort: true });
    await pass(id);
  };

  async function upload(content: string): Promise<string> {
    const head = `Content-Disposition: form-data; name="file"; filename="${hash('sha256', content)}"`;
    const raw = `--b\r\n${head}\r\n\r\n${content}\r\n--b--\r\n`;
    const headers = { 'content-type': 'multipart/form-data; boundary=b' };
    const answer = await server.call('/api/files/upload_archive', undefined, { raw, headers });
    return answer.body.id;
  }

  it('submits the stored configuration and files again, for each member of the project', async () => {
    const file_archives = [{ id: await upload('kept'), path: '/x' }];
    const { id } = await submit('again', { file_archives });
    const early = await call('rerun', { run_name: 'again' });
    expect(early.text).toContain('give the new run another name (--name), or stop this one first');
    const beside = await call('rerun', { run_name: 'again', name: 'beside' });
    expect(beside.body).toMatchObject({ status: 'submitted', run_spec: { run_name: 'beside' } });
    await end(id, 'again');
    const rerun = await call('rerun', { run_name: 'again' }, bob);
    const run_spec = { file_archives, configuration: { commands: ['echo'] } };
    expect(rerun.body).toMatchObject({ status: 'submitted', user: 'bob', run_spec });
    // Bob attaches with a key of his own.
    expect(rerun.body.run_spec.ssh_key_pub).not.toBe('ssh-rsa AAAA x');
    expect(rerun.body.id).not.toBe(id);
    // By id also the run whose name the new one has taken.
    const third = await call('rerun', { id, name: 'third' });
    expect(third.body.run_spec.run_name).toBe('third');
  });

  it('is refused, with the reason, when retention has removed an upload', async () => {
    const file_archives = [{ id: await upload('gone'), path: '/x' }];
    const { id } = await submit('old', { file_archives });
    await end(id, 'old');
    const { archivesByIds } = server.store.files;
    Object.assign(server.store.files, { archivesByIds: async () => [] });
    const refused = await call('rerun', { run_name: 'old' });
    Object.assign(server.store.files, { archivesByIds });
    expect([refused.status, refused.text]).toEqual([
      400,
      expect.stringContaining('files of it were removed by retention. Apply its configuration'),
    ]);
    expect((await call('rerun', { run_name: 'nosuch' })).text).toContain('Run nosuch not found');
  });
});

/** Arrays through the API, with the passes of their runs. */
import { memberId } from '@dstack/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run as runWork } from '../../loops/work/run.ts';
import { LOCAL_OFFER } from '../testing/offers.ts';
import { passDeps } from '../testing/pass-deps.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  server.offers.push(LOCAL_OFFER);
});
afterAll(() => server.close());

const path = (call: string) => `/api/project/main/runs/${call}`;
const call = (name: string, body: object) => server.call(path(name), body);
const get = async (run_name: string) => (await call('get', { run_name })).body;
const list = async (more: object = {}) =>
  (await server.call('/api/runs/list', { project_name: 'main', ...more })).body;

function apply(name: string | null, array: unknown, more: object = {}) {
  const configuration = {
    ...{ type: 'task', commands: ['echo $' + '{{ array.index }}'], array },
    ...more,
  };
  const run_spec = { run_name: name, configuration, ssh_key_pub: 'ssh-rsa AAAA x' };
  return call('apply', { plan: { run_spec }, force: false });
}

async function submit(name: string, array: unknown, more: object = {}) {
  const answer = await apply(name, array, more);
  expect(answer.text).toContain('"submitted"');
  return answer.body;
}

async function pass(id: string): Promise<void> {
  await runWork.work(passDeps(server))(id);
}

/** Sets the status of a member, as its passes would in the end. */
async function move(name: string, ...statuses: ('running' | 'terminating' | 'done' | 'failed')[]) {
  const project = await server.store.projects.byName('main');
  for (const status of statuses) {
    const [run] = await server.store.runs.byNames(project?.id ?? '', [name]);
    if (run === undefined) throw new Error(`no run ${name}`);
    const set = { status, nextPassAt: null };
    await server.store.engine.apply([
      { type: 'run.update', id: run.id, version: run.version, set },
    ]);
  }
}

const membersOf = async (name: string) => (await get(name)).array.members;

describe('an array', () => {
  it('lets members be born as its window moves, and counts them', async () => {
    const { id } = await submit('sweep', { values: ['a', 'b', 'c', 'd', 'e'], max_parallel: 2 });
    await pass(id);
    expect(await get('sweep')).toMatchObject({
      ...{ status: 'submitted', array: { total: 5, max_parallel: 2, max_failures: 0 } },
    });
    expect(await membersOf('sweep')).toMatchObject({ pending: 2, running: 0 });
    const first = await get('sweep-0');
    await pass(first.id);
    expect(await get('sweep-0')).toMatchObject({
      ...{ status: 'submitted', member: { array: 'sweep', index: 0 } },
      run_spec: {
        run_name: 'sweep-0',
        configuration: {
          commands: ['echo 0'],
          env: { DSTACK_ARRAY_INDEX: '0', DSTACK_ARRAY_COUNT: '5', DSTACK_ARRAY_VALUE: 'a' },
        },
      },
      jobs: [{ job_spec: { job_name: 'sweep-0-0-0' } }],
    });
    expect(await membersOf('sweep')).toMatchObject({ pending: 1, submitted: 1 });
    await move('sweep-0', 'running');
    await pass(id);
    expect((await get('sweep')).status).toBe('running');
    await move('sweep-0', 'terminating', 'failed');
    await pass(id);
    expect(await membersOf('sweep')).toMatchObject({ pending: 2, failed: 1 });
    for (const index of [1, 2, 3, 4]) {
      await move(`sweep-${index}`, 'running', 'terminating', 'done');
      await pass(id);
    }
    expect(await get('sweep')).toMatchObject({
      ...{ status: 'failed', termination_reason: 'job_failed' },
      array: { members: { done: 4, failed: 1, pending: 0 } },
    });
  });

  it('is done if no more than `max_failures` members failed', async () => {
    const { id } = await submit('lenient', { count: 2, max_failures: 1 });
    await pass(id);
    await move('lenient-0', 'terminating', 'failed');
    await move('lenient-1', 'terminating', 'done');
    await pass(id);
    expect((await get('lenient')).status).toBe('done');
  });

  it('is one run in lists, with ten jobs, and its members are listed on request', async () => {
    const { id } = await submit('listed', 12);
    await pass(id);
    for (let index = 0; index < 12; index++) await pass((await get(`listed-${index}`)).id);
    const [run] = (await list()).filter((one: { id: string }) => one.id === id);
    expect(
      run.jobs.map((job: { job_spec: { replica_num: number } }) => job.job_spec.replica_num),
    ).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(run.array.members.submitted).toBe(12);
    const names = (await list()).map(
      (one: { run_spec: { run_name: string } }) => one.run_spec.run_name,
    );
    expect(names.filter((name: string) => name.startsWith('listed'))).toEqual(['listed']);
    expect((await get('listed')).jobs).toHaveLength(12);
    const members = await list({ array: 'listed' });
    expect(members).toHaveLength(12);
    expect(members[0].member.array).toBe('listed');
    expect(
      (await server.call('/api/runs/list', { project_name: 'main', array: 'no' })).status,
    ).toBe(400);
  });

  it('answers for members that are not born, and lets them be stopped', async () => {
    const { id } = await submit('late', { count: 4, max_parallel: 1 });
    await pass(id);
    expect(await get('late-3')).toMatchObject({
      status: 'pending',
      jobs: [],
      member: { index: 3 },
    });
    expect((await call('get', { run_name: 'late-4' })).status).toBe(400);
    await call('stop', { runs_names: ['late-1'], abort: false });
    await pass((await get('late-1')).id);
    expect((await get('late-1')).status).toBe('terminated');
    await move('late-0', 'terminating', 'done');
    await pass(id);
    expect(await membersOf('late')).toMatchObject({ terminated: 1, done: 1, pending: 1 });
    expect((await get('late-2')).id).toBe(
      (await list({ array: 'late' })).find(
        (one: { member: { index: number } }) => one.member.index === 2,
      ).id,
    );
    await move('late-2', 'terminating', 'done');
    await pass(id);
    await move('late-3', 'terminating', 'done');
    await pass(id);
    expect((await get('late')).status).toBe('done');
  });

  it('ends with all its members when it is stopped, by their own passes', async () => {
    const { id } = await submit('ended', { count: 30, max_parallel: 3 });
    await pass(id);
    await call('stop', { runs_names: ['ended'], abort: false });
    await pass(id);
    expect((await get('ended')).status).toBe('terminating');
    for (const index of [0, 1, 2]) await pass((await get(`ended-${index}`)).id);
    await pass(id);
    expect(await get('ended')).toMatchObject({
      status: 'terminated',
      array: { members: { terminated: 3 } },
    });
    expect((await get('ended-20')).status).toBe('terminated');
  });

  it('is held and released with the members that wait', async () => {
    const { id } = await submit('kept', { count: 3, max_parallel: 2 });
    await pass(id);
    const member = (await get('kept-0')).id;
    await pass(member);
    await call('hold', { runs_names: ['kept'] });
    await pass(id);
    await pass(member);
    expect(await get('kept-0')).toMatchObject({
      status: 'pending',
      hold: { by: 'admin' },
      jobs: [],
    });
    expect((await get('kept')).status).toBe('pending');
    await call('release', { runs_names: ['kept'] });
    await pass(id);
    await pass(member);
    expect((await get('kept-0')).status).toBe('submitted');
    expect('hold' in (await get('kept-0'))).toBe(false);
    await call('set_priority', { run_name: 'kept', priority: 70 });
    await pass(id);
    await pass(member);
    expect((await get('kept-0')).run_spec.configuration.priority).toBe(70);
  });

  it('runs the members again that are not done', async () => {
    const { id } = await submit('again', 3);
    await pass(id);
    const active = await call('rerun', { run_name: 'again', failed_only: true, name: 'again2' });
    expect(active.text).toContain('wait until it has ended');
    await move('again-0', 'terminating', 'done');
    await move('again-1', 'terminating', 'failed');
    await move('again-2', 'terminating', 'done');
    await pass(id);
    const rerun = (await call('rerun', { run_name: 'again', failed_only: true })).body;
    expect(rerun.run_spec.configuration.array).toMatchObject({ count: 3, indexes: '1' });
    await pass(rerun.id);
    expect(await get('again')).toMatchObject({ array: { total: 1, members: { pending: 1 } } });
    expect(await list({ array: 'again' })).toHaveLength(1);
    expect((await get('again-1')).run_spec.configuration.env.DSTACK_ARRAY_COUNT).toBe('3');
    expect((await call('get', { run_name: 'again-0' })).status).toBe(400);
  });

  it('reserves the names of its members', async () => {
    await submit('names', { count: 20, max_parallel: 1 });
    const plain = await apply('names-7', undefined);
    expect(plain.text).toContain('names-7 is the name of a member of the array names');
    expect((await apply('names-20', undefined)).status).toBe(200);
    await apply('box-3', undefined);
    expect((await apply('box', 4)).text).toContain(
      'Run box-3 has the name of a member of the array box',
    );
    expect((await apply(`n${'x'.repeat(38)}`, 100)).text).toContain('is too long for 100 members');
  });

  it('leaves ended runs alone when a submission is refused because of a name', async () => {
    const { id } = await submit('whole', { count: 2, max_parallel: 1 });
    await pass(id);
    await move('whole-0', 'terminating', 'done');
    expect((await apply('whole-0', undefined)).text).toContain('is the name of a member');
    expect(await get('whole-0')).toMatchObject({ status: 'done', member: { index: 0 } });
    await submit('older', 1);
    await call('stop', { runs_names: ['older'], abort: false });
    await pass((await get('older')).id);
    expect((await get('older')).status).toBe('terminated');
    expect((await apply('older-1', undefined)).status).toBe(200);
    expect((await apply('older', 2)).text).toContain('Run older-1 has the name of a member');
    expect((await get('older')).status).toBe('terminated');
  });

  it('does not let a member be born again that retention has deleted', async () => {
    const { id } = await submit('long', { count: 3, max_parallel: 1 });
    await pass(id);
    await move('long-0', 'terminating', 'done');
    await pass(id);
    const { retention, projects } = server.store;
    const projectId = (await projects.byName('main'))?.id ?? '';
    const later = server.deps.context().now + 1_000_000;
    const ended = await retention.endedRuns(projectId, later, { runs: 1000, jobs: 1000 });
    const member = memberId(id, 0);
    expect(
      await retention.deleteRuns(
        ended.filter((one) => one.id === member),
        later,
      ),
    ).toBe(1);
    expect((await call('get', { run_name: 'long-0' })).status).toBe(400);
    await call('stop', { runs_names: ['long-0'], abort: false });
    expect(await membersOf('long')).toMatchObject({ done: 1, terminating: 0, pending: 1 });
  });

  it('is refused if the job of any member could not be made', async () => {
    const entrypoint = 'sh -c $' + '{{ array.value }}';
    const values = ['date', "it's"];
    const refused = await apply(
      'quoted',
      { values },
      { commands: [], image: 'debian', entrypoint },
    );
    expect(refused.text).toContain('Member 1: entrypoint: a quote is not closed');
    expect((await call('get', { run_name: 'quoted' })).status).toBe(400);
  });

  it('is deleted with its members', async () => {
    const { id } = await submit('gone', 2);
    await pass(id);
    for (const index of [0, 1]) await move(`gone-${index}`, 'terminating', 'done');
    await pass(id);
    expect((await call('delete', { runs_names: ['gone-1'] })).status).toBe(200);
    // It is not taken for one that will be born.
    expect((await call('get', { run_name: 'gone-1' })).status).toBe(400);
    expect((await call('delete', { runs_names: ['gone'] })).status).toBe(200);
    expect((await call('get', { run_name: 'gone-0' })).status).toBe(400);
  });

  it('is explained by the figures of its members', async () => {
    const { id } = await submit('why', { count: 9, max_parallel: 3 });
    await pass(id);
    await move('why-0', 'running');
    await move('why-1', 'terminating', 'failed');
    await pass(id);
    const { body } = await server.call('/api/project/main/explain/runs/why', undefined, {
      method: 'GET',
    });
    expect(body.summary).toContain('Array why has 1 running, 1 failed and 2 waiting, of 9 members');
    expect(body.considered ?? []).toEqual([]);
  });

  it('answers for the logs of members under its own name, page after page', async () => {
    const { id } = await submit('spoken', 1);
    await pass(id);
    await pass((await get('spoken-0')).id);
    const jobId = (await get('spoken-0')).jobs[0].job_submissions[0].id;
    const ref = { project: 'main', run: 'spoken-0', jobId };
    await server.logs.append(ref, 0, 1_000_000, Buffer.from('one\ntwo\nthree\n'));
    const lines: string[] = [];
    let next_token: string | null = null;
    do {
      const body = { run_name: 'spoken', job_submission_id: jobId, limit: 1, next_token };
      const { body: page } = await server.call('/api/project/main/logs/poll', body);
      for (const { message } of page.logs) lines.push(Buffer.from(message, 'base64').toString());
      next_token = page.next_token;
    } while (next_token !== null);
    expect(lines.join('')).toBe('one\ntwo\nthree\n');
  });

  it('is planned as its first member', async () => {
    const configuration = {
      type: 'task',
      commands: ['echo $' + '{{ array.value }}'],
      array: { values: ['x', 'y'] },
    };
    const run_spec = { run_name: 'plan', configuration, ssh_key_pub: 'ssh-rsa AAAA x' };
    const { body } = await call('get_plan', { run_spec });
    expect(body.effective_run_spec.configuration.array.values).toEqual(['x', 'y']);
    expect(body.job_plans).toHaveLength(1);
    expect(JSON.stringify(body.job_plans[0].job_spec.commands)).toContain('echo x');
    // Members wait without `retry`, and so does what is planned.
    expect(body.outlook).toBe('waits');
  });
});

describe('the limit of waiting runs', () => {
  it('refuses an array as a whole, by as many as may wait at one time', async () => {
    const quotas = [{ project_name: 'main', limit: { runs: 60 } }];
    expect((await server.call('/api/quotas/apply', { quotas })).status).toBe(200);
    const refused = await apply('flood', { count: 10_000, max_parallel: 61 });
    expect(refused.text).toContain('this array may add 61');
    expect((await call('get', { run_name: 'flood' })).status).toBe(400);
    await server.call('/api/quotas/delete', { quotas: [{ project_name: 'main' }] });
    expect((await apply('flood', { count: 10_000, max_parallel: 61 })).status).toBe(200);
  });
});

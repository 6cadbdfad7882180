import { type EndpointName, endpoints } from '@dstack/contract/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gpuOffer, LOCAL_OFFER } from '../testing/offers.ts';
import { startTestServer, type TestAnswer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  server.offers.push(LOCAL_OFFER, gpuOffer('aws', 'H100', 8, 98.32));
});
afterAll(() => server.close());

const path = (call: string) => `/api/project/main/${call}`;
const task = (name: string | null, more: object = {}) => ({
  run_name: name,
  configuration: { type: 'task', commands: ['echo hello'], ...more },
  profile: { name: 'default' },
});

async function apply(spec: object, plan: object = {}, force = false): Promise<TestAnswer> {
  return server.call(path('runs/apply'), { plan: { run_spec: spec, ...plan }, force });
}

/** Answers hold every field of their model, nothing else, in the form the wire has. */
function expectWire(name: EndpointName, body: unknown): void {
  expect(endpoints[name].response?.parse(body)).toEqual(body);
}

describe('runs', () => {
  it('of one user that wait are limited over all projects, and the refusal names count and setting', async () => {
    const limited = await startTestServer({ waitingRunsPerUser: 2 });
    await limited.call('/api/projects/create', { project_name: 'lab' });
    await limited.call('/api/users/create', { username: 'bob', global_role: 'admin' });
    const bob = (await limited.call('/api/users/get_user', { username: 'bob' })).body.creds.token;
    const submit = (project: string, token?: string) =>
      limited.call(
        `/api/project/${project}/runs/apply`,
        { plan: { run_spec: task(null) }, force: false },
        token ? { token } : {},
      );
    const first = await submit('main');
    expect([first.status, (await submit('lab')).status]).toEqual([200, 200]);
    const refused = await submit('main');
    expect(refused.status).toBe(400);
    expect(refused.text).toContain(
      "The user 'admin' has 2 runs without a running job, and this server allows 2 (DSTACK_SERVER_MAX_WAITING_RUNS_PER_USER)",
    );
    expect((await submit('main', bob)).status).toBe(200);
    const runs_names = [first.body.run_spec.run_name];
    await limited.call(path('runs/stop'), { runs_names, abort: true });
    expect((await submit('lab')).status).toBe(200);
    await limited.close();
  });

  it('that wait are counted in the singular if there is one', async () => {
    const limited = await startTestServer({ waitingRunsPerUser: 1 });
    const submit = () =>
      limited.call(path('runs/apply'), { plan: { run_spec: task(null) }, force: false });
    expect((await submit()).status).toBe(200);
    expect((await submit()).text).toContain(
      "The user 'admin' has 1 run without a running job, and this server allows 1 (DSTACK_SERVER_MAX_WAITING_RUNS_PER_USER). Wait until it runs, or stop it",
    );
    await limited.close();
  });

  it('without a fleet have no offers, and the plan has the reason', async () => {
    const plan = await server.call(path('runs/get_plan'), { run_spec: task('train') });
    expectWire('runs.get_plan', plan.body);
    expect(plan.body).toMatchObject({
      action: 'create',
      current_resource: null,
      run_spec: { repo_id: null, configuration: { priority: null } },
      effective_run_spec: {
        repo_id: 'none',
        repo_data: { repo_type: 'virtual' },
        configuration: { priority: 0, nodes: 1 },
      },
      job_plans: [{ total_offers: 0, offers: [], job_spec: { job_name: 'train-0-0' } }],
    });
    expect(plan.body.notes.join(' ')).toContain('No matching fleet found');
  });

  it("are offered the server's machine as remote in region local", async () => {
    const spec = {
      configuration: { type: 'fleet', name: 'here', nodes: '0..1' },
      profile: { name: 'default' },
    };
    const fleet = await server.call(path('fleets/apply'), { plan: { spec }, force: false });
    expectWire('fleets.apply', fleet.body);
    const plan = await server.call(path('runs/get_plan'), { run_spec: task(null) });
    expectWire('runs.get_plan', plan.body);
    expect(plan.text).not.toContain('"backend":"local"');
    expect(plan.text).toContain('"price":0.0');
    expect(plan.body.job_plans[0]).toMatchObject({
      job_spec: { job_name: 'dry-run-0-0' },
      offers: [
        { backend: 'remote', region: 'local', availability: 'available' },
        { backend: 'aws' },
      ],
    });
  });

  it('are submitted with a job, events and a name of their own', async () => {
    const run = await apply(task('first'));
    expectWire('runs.apply', run.body);
    expect(run.body).toMatchObject({
      status: 'submitted',
      user: 'admin',
      deployment_num: 0,
      jobs: [{ job_spec: { job_name: 'first-0-0', ssh_key: null } }],
      latest_job_submission: { status: 'submitted', submission_num: 0 },
      cost: 0,
    });
    expect(run.text).toContain('"cost":0.0');
    const events = await server.call('/api/events/list', {
      within_runs: [run.body.id],
      ascending: true,
    });
    expectWire('events.list', events.body);
    expect(events.body.map((event: { message: string }) => event.message)).toEqual([
      'Run submitted. Status: SUBMITTED',
      'Job created on run submission. Status: SUBMITTED',
    ]);
    expect(events.body[0].actor_user).toBe('admin');
    expect(events.body[1].actor_user).toBeNull();
  });

  it('without a name are given one', async () => {
    const run = await apply(task(null));
    expect(run.body.run_spec.run_name).toMatch(/^[a-z]+-[a-z]+-1$/);
  });

  it('signal the engine: those with jobs that only need a place have no pass before', async () => {
    const signalled: string[] = [];
    const end = server.store.engine.onSignal((signal) => signalled.push(signal.kind));
    await apply(task('woken'));
    expect(signalled.splice(0)).toEqual(['placement']);
    await apply(task('later', { schedule: { cron: '0 0 1 1 *' } }));
    end();
    expect(signalled.sort()).toEqual(['placement', 'run']);
  });

  it('that are active cannot be overridden, only changed in place', async () => {
    const submitted = await apply(task('busy'));
    const other = task('busy', { commands: ['echo bye'] });
    expect((await apply(other)).body.detail[0].msg).toMatch(/^Cannot override active run/);
    expect((await apply(other, {}, true)).body.detail[0].msg).toMatch(/^Cannot override/);
    const raised = task('busy', { priority: 50 });
    expect((await apply(raised)).body.detail[0].msg).toMatch(/has been changed/);
    const plan = await server.call(path('runs/get_plan'), { run_spec: raised });
    expect(plan.body.action).toBe('update');
    const current_resource = plan.body.current_resource;
    const updated = await apply(plan.body.run_spec, { current_resource });
    expect(updated.body).toMatchObject({
      id: submitted.body.id,
      deployment_num: 1,
      run_spec: { configuration: { priority: 50 } },
    });
    const stale = await apply(task('busy', { priority: 60 }), { current_resource });
    expect(stale.body.detail[0].msg).toMatch(/has been changed/);
    const forced = await apply(task('busy', { priority: 60 }), { current_resource }, true);
    expect(forced.body.deployment_num).toBe(2);
  });

  it('accept the fields of a plan that a client returns without nulls and defaults', async () => {
    await apply(task('echoed'));
    const spec = task('echoed', { priority: 7 });
    const plan = await server.call(path('runs/get_plan'), { run_spec: spec });
    const bare = JSON.parse(
      JSON.stringify(plan.body.current_resource, (_key, value) => value ?? undefined),
    );
    const updated = await apply(spec, { current_resource: bare });
    expect(updated.body.deployment_num).toBe(1);
  });

  it('count as not seen when what a client saw breaks a rule that is newer than they are', async () => {
    const { body } = await apply(task('stored'));
    const kubernetes = { labels: { a: 'not allowed any more!' } };
    Object.assign(body.run_spec.configuration, { backend_settings: { kubernetes } });
    const changed = task('stored', { priority: 3 });
    const unseen = await apply(changed, { current_resource: body });
    expect(unseen.body.detail[0].msg).toMatch(/has been changed/);
    const forced = await apply(changed, { current_resource: body }, true);
    expect(forced.body).toMatchObject({ id: body.id, deployment_num: 1 });
  });

  it('show a stop at once, and an abort replaces a stop', async () => {
    const { body } = await apply(task('stopped'));
    const stop = (abort: boolean) =>
      server.call(path('runs/stop'), { runs_names: ['stopped', 'nosuch'], abort });
    expect((await stop(false)).text).toBe('null');
    const get = () => server.call(path('runs/get'), { id: body.id });
    expect((await get()).body).toMatchObject({
      status: 'terminating',
      termination_reason: 'stopped_by_user',
    });
    await stop(true);
    expect((await get()).body.termination_reason).toBe('aborted_by_user');
  });

  it('can be deleted only when they are finished', async () => {
    const refused = await server.call(path('runs/delete'), { runs_names: ['first'] });
    expect(refused.body.detail[0].msg).toBe("Cannot delete active runs: ['first']");
    expect((await server.call(path('runs/delete'), { runs_names: ['nosuch'] })).text).toBe('null');
  });

  it('are listed newest first in pages', async () => {
    const all = await server.call('/api/runs/list', {});
    expectWire('runs.list', all.body);
    const page = await server.call('/api/runs/list', { limit: 2 });
    const last = page.body[1];
    const rest = await server.call('/api/runs/list', {
      prev_submitted_at: last.submitted_at,
      prev_run_id: last.id,
    });
    const names = (answer: TestAnswer) => answer.body.map((run: { id: string }) => run.id);
    expect([...names(page), ...names(rest)]).toEqual(names(all));
    const bare = await server.call('/api/runs/list', { include_jobs: false, limit: 1 });
    expect(bare.body[0]).toMatchObject({ jobs: [], latest_job_submission: null });
  });

  it('are listed without submissions if none are requested', async () => {
    await apply(task('jobs-alone'));
    const { body } = await server.call('/api/runs/list', { job_submissions_limit: 0, limit: 1 });
    expectWire('runs.list', body);
    expect(body[0]).toMatchObject({ latest_job_submission: null, cost: 0 });
    const [job] = body[0].jobs;
    expect([job.job_spec.job_name, job.job_submissions]).toEqual(['jobs-alone-0-0', []]);
  });

  it('with an invalid specification are refused with the field', async () => {
    const refusals: [object, string][] = [
      [task('Bad Name'), 'Bad Name'],
      [task('x', {}), "Invalid name 'x'"],
      [{ ...task('aa'), repo_data: { repo_type: 'virtual' } }, 'repo_data must not be set'],
      [task('aa', { env: ['TOKEN'] }), 'TOKEN'],
      [{ ...task('aa'), ssh_key_pub: 'ssh-rsa AA\nssh-rsa BB' }, '`ssh_key_pub` must be one'],
      [{ ...task('aa'), ssh_key_pub: 'command="sh" ssh-rsa AA' }, '`ssh_key_pub` must be one'],
      [task('aa', { volumes: ['v:/data'] }), 'Volume v not found'],
      [
        { ...task('aa'), repo_id: 'r', repo_data: { repo_type: 'local', repo_dir: '/x' } },
        'Repo r',
      ],
    ];
    for (const [spec, text] of refusals) {
      const answer = await apply(spec);
      expect([answer.status, answer.body.detail[0].msg]).toEqual([
        400,
        expect.stringContaining(text),
      ]);
    }
  });

  it('on several nodes share a key that the API never returns', async () => {
    const run = await apply(task('cluster', { nodes: 2 }));
    expect(run.body.jobs.map((job: { job_spec: object }) => job.job_spec)).toMatchObject([
      { job_name: 'cluster-0-0', ssh_key: null },
      { job_name: 'cluster-1-0', ssh_key: null },
    ]);
    const stored = await server.store.jobs.ofRun(run.body.id);
    expect(stored[0]?.spec.ssh_key).toMatchObject({ public: expect.stringMatching(/^ssh-/) });
    expect(stored[1]?.spec.ssh_key).toEqual(stored[0]?.spec.ssh_key);
  });

  it('as services are reached through the server', async () => {
    const configuration = { type: 'service', port: 8000, commands: ['serve'], model: 'm' };
    const run = await apply({ ...task('web'), configuration });
    expectWire('runs.apply', run.body);
    expect(run.body.service).toEqual({
      url: '/proxy/services/main/web/',
      model: { name: 'm', base_url: '/proxy/services/main/web/v1', type: 'chat' },
      options: {
        openai: { model: { type: 'chat', name: 'm', format: 'openai', prefix: '/v1' } },
      },
    });
  });

  it('show the time without connections only for dev environments', async () => {
    const inactivity = async (name: string, type: object) => {
      const { body } = await apply({ ...task(name), configuration: { commands: ['x'], ...type } });
      await server.store.reports.saveActivity(body.latest_job_submission.id, 90);
      const run = await server.call(path('runs/get'), { run_name: name });
      return run.body.latest_job_submission.inactivity_secs;
    };
    expect(await inactivity('serving', { type: 'service', port: 80 })).toBeNull();
    expect(await inactivity('training', { type: 'task' })).toBeNull();
    expect(
      await inactivity('desktop', { type: 'dev-environment', commands: undefined, ide: 'zed' }),
    ).toBe(90);
  });

  it('with a schedule wait for it without jobs', async () => {
    const run = await apply(task('nightly', { schedule: { cron: '0 3 * * *' } }));
    expect(run.body).toMatchObject({
      status: 'pending',
      jobs: [],
      next_triggered_at: '2026-11-25T03:00:00Z',
    });
  });

  it('keep our keys when a client without these updates them', async () => {
    const configuration = { type: 'service', port: 8000, commands: ['serve'], fleets: ['here'] };
    const update = async (agent: string, more: object) => {
      const headers = { 'user-agent': agent };
      const run_spec = { ...task('kept'), configuration: { ...configuration, ...more } };
      const planned = await server.call(path('runs/get_plan'), { run_spec }, { headers });
      const { effective_run_spec, current_resource } = planned.body;
      const plan = { run_spec, current_resource };
      const run = await server.call(path('runs/apply'), { plan, force: true }, { headers });
      expect(run.status).toBe(200);
      return [effective_run_spec, run.body.run_spec].map((spec) => spec.configuration.rollout);
    };
    const rollout = { surge: 2 };
    const set = expect.objectContaining(rollout);
    expect(await update('dstack-cli', { rollout })).toEqual([set, set]);
    expect(await update('python-requests/2.32', { env: ['A=1'] })).toEqual([set, set]);
    expect(await update('dstack-cli', { env: ['A=2'] })).toEqual([undefined, undefined]);
  });

  it('with autoscaling show official clients a legal scaling, whose updates keep ours', async () => {
    const rules = [{ metric: 'concurrency', target: 4 }];
    const base = { type: 'service', port: 8000, replicas: '1..4', fleets: ['here'] };
    const update = async (agent: string, more: object) => {
      const headers = { 'user-agent': agent };
      const run_spec = { ...task('scaled'), configuration: { ...base, ...more } };
      const planned = await server.call(path('runs/get_plan'), { run_spec }, { headers });
      const plan = { run_spec, current_resource: planned.body.current_resource };
      const run = await server.call(path('runs/apply'), { plan, force: false }, { headers });
      expect(run.status).toBe(200);
      return run.body.run_spec.configuration;
    };
    const commands = ['serve'];
    const first = await update('dstack-cli', { commands, autoscaling: rules });
    const scaling = { metric: 'rps', target: 1, scale_up_delay: 30, scale_down_delay: 300 };
    expect(first).toMatchObject({ scaling, autoscaling: rules });
    const theirs = { commands: ['serve', 'more'], scaling };
    expect(await update('python-requests/2.32', theirs)).toMatchObject({ autoscaling: rules });
    const group = { commands, replicas: '0..3', autoscaling: rules };
    expect(await update('dstack-cli', { replicas: undefined, groups: [group] })).toMatchObject({
      groups: [{ scaling, autoscaling: rules }],
    });
    const grouped = { replicas: undefined, groups: [{ commands, replicas: '0..3', scaling }] };
    expect(await update('python-requests/2.32', grouped)).toMatchObject({
      groups: [{ autoscaling: rules }],
    });
  });

  it('keep their configuration when they have ended, whatever is asked of their rollout', async () => {
    const configuration = { type: 'service', port: 8000, commands: ['serve'], fleets: ['here'] };
    const update = (env: string) =>
      apply({ ...task('ended'), configuration: { ...configuration, env: [env] } }, {}, true);
    await update('A=1');
    await update('A=2');
    await server.call(path('runs/stop'), { runs_names: ['ended'], abort: true });
    const undone = await server.call(path('runs/rollout'), { run_name: 'ended', action: 'undo' });
    expect([undone.status, undone.text]).toEqual([
      400,
      expect.stringContaining('Run ended is termin'),
    ]);
    const run = await server.call(path('runs/get'), { run_name: 'ended' });
    expect(run.body.run_spec.configuration.env).toEqual({ A: '2' });
  });

  it('are returned to older clients in the form of their version', async () => {
    const headers = { 'x-api-version': '0.20.13' };
    const spec = task('older', { fleets: ['here'] });
    await apply(spec);
    const run = await server.call(path('runs/get'), { run_name: 'older' }, { headers });
    expect(run.body.run_spec.configuration.fleets).toEqual(['here']);
  });
});

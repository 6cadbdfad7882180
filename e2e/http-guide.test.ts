import type { Installation } from '@dstack/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isFinished, newInstallation, untilRun } from './installation.ts';

interface LogPage {
  readonly logs: { readonly timestamp: string; readonly message: string }[];
  readonly next_token: string | null;
}

/** Plain HTTP of a program without a client library, in the order of the guide. */
describe('the HTTP API', () => {
  let home: Installation;
  beforeAll(async () => {
    home = newInstallation();
    await home.startServer();
  });
  afterAll(() => home?.dispose());

  /** Status, the checked headers, and the exact body. */
  async function call(path: string, body?: unknown, headers: Record<string, string> = {}) {
    const response = await fetch(new URL(path, home.url), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${home.token()}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await response.text();
    const challenge = response.headers.get('www-authenticate');
    return { status: response.status, text, challenge, json: parsed(text) };
  }

  // biome-ignore lint/suspicious/noExplicitAny: bodies of any form are compared, not used.
  const parsed = (text: string): any => {
    try {
      return JSON.parse(text);
    } catch {
      // Plain text, like an error of the server.
      return undefined;
    }
  };

  const fleetSpec = {
    configuration: { type: 'fleet', name: 'default', nodes: '0..1', resources: { gpu: 0 } },
    profile: {},
  };
  const commands = ['for i in $(seq 40); do echo "line $i"; done'];
  const configuration = { type: 'task', commands, resources: { gpu: 0 } };

  it('creates a fleet after its plan was requested', async () => {
    expect(await call('/api/project/main/fleets/list', { include_imported: true })).toMatchObject({
      status: 200,
      text: '[]',
    });
    const plan = await call('/api/project/main/fleets/get_plan', { spec: fleetSpec });
    expect(plan).toMatchObject({
      status: 200,
      json: { project_name: 'main', user: 'admin', current_resource: null },
    });
    const applied = await call('/api/project/main/fleets/apply', {
      plan: { spec: fleetSpec, current_resource: null },
      force: false,
    });
    expect(applied).toMatchObject({ status: 200, json: { name: 'default', status: 'active' } });
    const listed = await call('/api/project/main/fleets/list', { include_imported: true });
    expect(listed.json).toHaveLength(1);
    const got = await call('/api/project/main/fleets/get', { name: 'default' });
    expect(got.json).toMatchObject({ id: applied.json.id, project_name: 'main' });
  });

  it('lists offers by the plan of a minimal task', async () => {
    const light = { type: 'task', commands: [':'], image: 'scratch', user: 'root' };
    const { status, json } = await call('/api/project/main/runs/get_plan', {
      run_spec: { configuration: { ...light, resources: { gpu: 0 } } },
    });
    expect(status).toBe(200);
    expect(json.job_plans[0].offers[0]).toMatchObject({
      backend: 'remote',
      region: 'local',
      price: 0,
    });
    expect(json.job_plans[0].total_offers).toBe(1);
  });

  it('starts a run from a name and a configuration alone', async () => {
    const applied = await call('/api/project/main/runs/apply', {
      plan: { run_spec: { run_name: 'guide', configuration } },
      force: false,
    });
    expect(applied).toMatchObject({
      status: 200,
      json: { status: 'submitted', run_spec: { run_name: 'guide' } },
    });
    await untilRun(home, 'guide', isFinished);
    const { json } = await call('/api/project/main/runs/get', { run_name: 'guide' });
    expect(json).toMatchObject({ id: applied.json.id, status: 'done' });
    const byId = await call('/api/project/main/runs/get', { id: applied.json.id });
    expect(byId.json).toMatchObject({ run_spec: { run_name: 'guide' } });
  });

  it('returns the output page by page', async () => {
    const { json: run } = await call('/api/project/main/runs/get', { run_name: 'guide' });
    const lines: string[] = [];
    const times: string[] = [];
    let next: string | null = null;
    let pages = 0;
    do {
      const page = await call('/api/project/main/logs/poll', {
        run_name: 'guide',
        job_submission_id: run.latest_job_submission.id,
        limit: 7,
        next_token: next,
      });
      expect(page.status).toBe(200);
      const { logs, next_token } = page.json as LogPage;
      expect(logs.length).toBeLessThanOrEqual(7);
      lines.push(...logs.map(({ message }) => Buffer.from(message, 'base64').toString()));
      times.push(...logs.map(({ timestamp }) => timestamp));
      next = next_token;
      pages++;
    } while (next !== null);
    expect(lines.join('').match(/^line \d+/gm)).toEqual(
      Array.from({ length: 40 }, (_, i) => `line ${i + 1}`),
    );
    expect(pages).toBeGreaterThan(1);
    expect(new Set(times).size).toBe(times.length);

    const newest = await call('/api/project/main/logs/poll', {
      run_name: 'guide',
      job_submission_id: run.latest_job_submission.id,
      descending: true,
      limit: 1,
    });
    expect(Buffer.from(newest.json.logs[0].message, 'base64').toString()).toContain('line 40');

    const after = await call('/api/project/main/logs/poll', {
      run_name: 'guide',
      job_submission_id: run.latest_job_submission.id,
      start_time: times[9],
    });
    expect(after.json.logs).toHaveLength(times.length - 10);
  });

  it('stops and deletes', async () => {
    const endless = { ...configuration, commands: ['while :; do sleep 0.1; done'] };
    await call('/api/project/main/runs/apply', {
      plan: { run_spec: { run_name: 'endless', configuration: endless } },
      force: false,
    });
    const stopped = await call('/api/project/main/runs/stop', {
      runs_names: ['endless'],
      abort: true,
    });
    expect(stopped).toMatchObject({ status: 200, text: 'null' });
    await untilRun(home, 'endless', isFinished);
    const deleted = await call('/api/project/main/runs/delete', {
      runs_names: ['endless', 'guide'],
    });
    expect(deleted).toMatchObject({ status: 200, text: 'null' });
    const missing = await call('/api/project/main/runs/get', { run_name: 'guide' });
    expect(missing).toMatchObject({ status: 400, json: { detail: [{ msg: 'Run not found' }] } });
    const fleet = await call('/api/project/main/fleets/delete', { names: ['default'] });
    expect(fleet).toMatchObject({ status: 200, text: 'null' });
  });

  it('requires a token', async () => {
    for (const authorization of ['', 'Basic YWRtaW46eA==']) {
      const path = '/api/project/main/runs/get';
      expect(await call(path, { run_name: 'guide' }, { authorization })).toMatchObject({
        status: 401,
        text: '{"detail":"Not authenticated"}',
        challenge: 'Bearer',
      });
    }
  });

  it('refuses an unknown token', async () => {
    const authorization = 'Bearer 00000000-0000-4000-8000-000000000000';
    for (const path of ['/api/project/main/runs/get', '/api/users/get_my_user']) {
      expect(await call(path, {}, { authorization })).toMatchObject({
        status: 403,
        text: '{"detail":{"msg":"Invalid token","code":null}}',
      });
    }
  });

  it('reports what does not exist', async () => {
    expect(await call('/api/project/nowhere/runs/get', { run_name: 'x' })).toMatchObject({
      status: 404,
      text: '{"detail":{"msg":"Not found","code":null}}',
    });
    const absent = (msg: string) => ({
      status: 400,
      json: { detail: [{ msg, code: 'resource_not_exists' }] },
    });
    expect(await call('/api/project/main/runs/get', { run_name: 'absent' })).toMatchObject(
      absent('Run not found'),
    );
    expect(await call('/api/project/main/fleets/get', { name: 'absent' })).toMatchObject(
      absent('Fleet not found'),
    );
  });

  it('names the field of an invalid request', async () => {
    const bad = { ...configuration, comands: [] };
    const { status, json } = await call('/api/project/main/runs/get_plan', {
      run_spec: { configuration: bad },
    });
    expect(status).toBe(422);
    expect(json.detail).toContainEqual(
      expect.objectContaining({
        type: 'extra_forbidden',
        loc: ['body', 'run_spec', 'configuration', 'task', 'comands'],
      }),
    );
    expect((await call('/api/project/main/runs/get')).json).toMatchObject({
      detail: [{ type: 'missing', loc: ['body'] }],
    });
  });

  it('answers wrong methods as clients expect', async () => {
    const path = new URL('/api/project/main/runs/get', home.url);
    expect((await fetch(path)).status).toBe(404);
    const put = await fetch(path, { method: 'PUT' });
    expect(put.status).toBe(405);
    expect(await put.text()).toBe('{"detail":"Method Not Allowed"}');
  });
});

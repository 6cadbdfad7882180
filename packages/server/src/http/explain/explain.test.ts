import { type EndpointName, endpoints } from '@dstack/contract/api';
import type { Explanation } from '@dstack/contract/wire';
import {
  type BackendNote,
  type Change,
  type InstanceRecord,
  type JobRecord,
  jobAssignedEvent,
} from '@dstack/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gpuOffer, LOCAL_OFFER, NO_HINTS } from '../testing/offers.ts';
import { insertInstances, submitService } from '../testing/services.ts';
import { startTestServer, type TestAnswer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server.close());

const HOUR = 3600_000_000;

const KINDS = ['runs', 'jobs', 'instances', 'fleets', 'services', 'volumes', 'gateways'] as const;

async function explain(
  kind: (typeof KINDS)[number],
  name: string,
  { token, project = 'main' }: { token?: string | null; project?: string } = {},
): Promise<TestAnswer> {
  const path = `/api/project/${project}/explain/${kind}/${name}`;
  const answer = await server.call(path, undefined, { method: 'GET', token });
  if (answer.status === 200) expectWire(`explain.${kind}`, answer.body);
  return answer;
}

function expectWire(name: EndpointName, body: unknown): void {
  expect(endpoints[name].response?.parse(body)).toEqual(body);
}

async function submit(name: string, more: object = {}, project = 'main'): Promise<{ id: string }> {
  const configuration = { type: 'task', commands: ['true'], ...more };
  const run_spec = { run_name: name, configuration, profile: { name: 'default' } };
  const body = { plan: { run_spec }, force: false };
  const answer = await server.call(`/api/project/${project}/runs/apply`, body);
  if (answer.status !== 200) throw new Error(answer.text);
  return answer.body;
}

/** Assigns the run's job to the instance. */
async function occupy(runId: string, instanceId: string): Promise<void> {
  const { store } = server;
  const [job] = await store.jobs.ofRun(runId);
  const instance = (await store.instances.byId(instanceId))?.instance;
  const held = { status: 'running', instanceId, claimedBlocks: 1 } as Partial<JobRecord>;
  const busy = { status: 'busy', busyBlocks: 1 } as Partial<InstanceRecord>;
  const changes: Change[] = [
    { type: 'job.update', id: job?.id ?? '', version: job?.version ?? 0, set: held },
    { type: 'instance.update', id: instanceId, version: instance?.version ?? 0, set: busy },
  ];
  expect(await store.engine.apply(changes)).toBe('applied');
}

/** A member of `main` only. */
async function member(username: string): Promise<string> {
  await server.call('/api/users/create', { username, global_role: 'user' });
  const user = await server.call('/api/users/get_user', { username });
  const members = [{ username, project_role: 'user' }];
  await server.call('/api/projects/main/add_members', { members });
  return user.body.creds.token;
}

/** The only instance of `main`'s fleet is busy with `secret` of project `lab`, which imports it. */
async function busyWithOthers(): Promise<{ id: string; fleet: string }> {
  const [id = ''] = await insertInstances(server, 1);
  const view = await server.store.instances.byId(id);
  const fleet = view?.fleet.name ?? '';
  await server.call('/api/projects/create', { project_name: 'lab' });
  await server.call('/api/project/main/exports/create', {
    name: 'pool',
    importer_projects: ['lab'],
    exported_fleets: [fleet],
  });
  const secret = await submit('secret', {}, 'lab');
  await occupy(secret.id, id);
  const instance = (await server.store.instances.byId(id))?.instance;
  const [job] = await server.store.jobs.ofRun(secret.id);
  if (instance && job) await server.store.events.write([jobAssignedEvent(job, instance)]);
  return { id, fleet };
}

describe('an explanation', () => {
  it('of a run has the reason for waiting, the considered capacity, and the events', async () => {
    server.offers.push(LOCAL_OFFER, gpuOffer('aws', 'H100', 8, 98.32));
    await submit('train', { resources: { gpu: 'H100:8' }, max_price: 50 });
    const configuration = { type: 'fleet', name: 'cloud', nodes: '0..2' };
    const spec = { configuration, profile: { name: 'default' } };
    await server.call('/api/project/main/fleets/apply', { plan: { spec }, force: false });
    const { body }: { body: Explanation } = await explain('runs', 'train');
    expect(body.subject).toMatchObject({ kind: 'run', name: 'train', project_name: 'main' });
    expect(body).toMatchObject({ state: 'waiting', waiting_for: 'max_price', position: 1 });
    expect(body.summary).toContain('the cheapest match is aws-H100-8 in aws-1 at $98.32');
    expect(body.fixes).toContainEqual(expect.objectContaining({ value: 'max_price: 98.32' }));
    // Clients see the server's machine as `remote`, in region `local`.
    const backends = body.considered.filter((row) => row.kind === 'offers');
    expect(backends).toContainEqual(
      expect.objectContaining({ backend: 'remote', region: 'local', rule: 'gpu' }),
    );
    expect(body.events.map((event) => event.message)).toEqual([
      'Run submitted. Status: SUBMITTED',
      'Job created on run submission. Status: SUBMITTED',
    ]);
  });

  it('of a job is about that job alone', async () => {
    await submit('train');
    const { body } = await explain('jobs', 'train-0-0');
    expect(body).toMatchObject({ subject: { kind: 'job', name: 'train-0-0' } });
    expect(body.summary).toBe('Job train-0-0 waits for a place: the project has no fleet.');
    expect(body.events.map((event: { message: string }) => event.message)).toEqual([
      'Job created on run submission. Status: SUBMITTED',
    ]);
  });

  it('of a service names its replicas', async () => {
    await submitService(server, 'api', { replicas: 2 });
    const { body } = await explain('services', 'api');
    expect(body).toMatchObject({ subject: { kind: 'service' }, state: 'waiting' });
    expect(body.parts.map((part: { name: string }) => part.name)).toEqual(['api-0-0', 'api-0-1']);
  });

  it('of instances and fleets names the runs on them', async () => {
    const [id = ''] = await insertInstances(server, 1);
    await occupy((await submit('train')).id, id);
    const view = await server.store.instances.byId(id);
    const instance = await explain('instances', view?.instance.name ?? '');
    expect(instance.body).toMatchObject({ state: 'busy' });
    expect(instance.body.summary).toContain('is busy with train');
    const fleet = await explain('fleets', view?.fleet.name ?? '');
    expect(fleet.body.parts[0].text).toBe('is busy with train');
  });

  it('of what a server with a wrong clock stored shows no time that is still to come', async () => {
    const [id = ''] = await insertInstances(server, 1);
    const run = await submit('train');
    const [job] = await server.store.jobs.ofRun(run.id);
    const view = await server.store.instances.byId(id);
    const now = Date.now() * 1000;
    const ahead = now + 3 * HOUR;
    const lost = { unreachable: true, unreachableSince: ahead };
    const waits = { waitingSince: ahead, submittedAt: ahead, statusChangedAt: ahead };
    const changes: Change[] = [
      { type: 'instance.update', id, version: view?.instance.version ?? 0, set: lost },
      { type: 'job.update', id: job?.id ?? '', version: job?.version ?? 0, set: waits },
    ];
    expect(await server.store.engine.apply(changes)).toBe('applied');
    const answers = [
      await explain('instances', view?.instance.name ?? ''),
      await explain('fleets', view?.fleet.name ?? ''),
      await explain('runs', 'train'),
      await explain('jobs', 'train-0-0'),
    ];
    for (const { body } of answers) {
      const shown = [...JSON.stringify(body).matchAll(/"since":"([^"]+)"/g)];
      for (const [, since = ''] of shown)
        expect(Date.parse(since)).toBeLessThan((now + HOUR) / 1000);
    }
    const [instance] = answers;
    expect(instance?.body).toMatchObject({ state: 'unreachable' });
    expect(JSON.stringify(answers[2]?.body)).toContain('"since":"');
  });

  it('of volumes and gateways has the reason of their failure', async () => {
    const volume = { type: 'volume', name: 'data', backend: 'aws', region: 'eu', size: '10GB' };
    const created = await server.call('/api/project/main/volumes/create', {
      configuration: volume,
    });
    const gateway = { type: 'gateway', name: 'gate', backend: 'aws', region: 'eu', domain: 'a.b' };
    const made = await server.call('/api/project/main/gateways/create', { configuration: gateway });
    if (created.status === 200) {
      expect((await explain('volumes', 'data')).body.subject).toMatchObject({ kind: 'volume' });
    }
    if (made.status === 200) {
      expect((await explain('gateways', 'gate')).body.subject).toMatchObject({ kind: 'gateway' });
    }
    expect([created.status, made.status]).toEqual([200, 200]);
  });

  it('names a backend that refuses its credentials, as plans do', async () => {
    const note: BackendNote = {
      ...{ backend: 'gcp', rule: 'backend_refused' },
      text: 'it refuses its credentials: expired',
    };
    const broken = await startTestServer(
      {},
      {
        offers: { answer: async () => ({ offers: new Map(), notes: [note] }) },
        backends: {
          of: async () => [],
          find: async () => null,
          state: async () => ({
            abilities: [{ name: 'gcp', createsInstances: true }],
            localOff: null,
            hints: NO_HINTS,
          }),
        },
      },
    );
    try {
      const configuration = { type: 'fleet', name: 'cloud', nodes: '0..2' };
      const spec = { configuration, profile: { name: 'default' } };
      await broken.call('/api/project/main/fleets/apply', { plan: { spec }, force: false });
      const run_spec = {
        run_name: 'train',
        configuration: { type: 'task', commands: ['true'] },
        profile: { name: 'default' },
      };
      const plan = await broken.call('/api/project/main/runs/get_plan', { run_spec });
      expect(plan.body.notes).toContain('gcp: it refuses its credentials: expired');
      await broken.call('/api/project/main/runs/apply', { plan: { run_spec }, force: false });
      const path = '/api/project/main/explain/runs/train';
      const { body } = await broken.call(path, undefined, { method: 'GET' });
      expect(body).toMatchObject({ waiting_for: 'backend_refused' });
      expect(body.fixes[0].text).toBe('Repair backend gcp: it refuses its credentials: expired');
    } finally {
      await broken.close();
    }
  });
});

describe('runs of other projects', () => {
  it('are not named to users who are not their members', async () => {
    const { id, fleet } = await busyWithOthers();
    const ann = await member('ann');
    await submit('train', { retry: true });
    const view = await server.store.instances.byId(id);
    const instance = view?.instance.name ?? '';
    const answers = await Promise.all([
      explain('runs', 'train', { token: ann }),
      explain('jobs', 'train-0-0', { token: ann }),
      explain('instances', instance, { token: ann }),
      explain('fleets', fleet, { token: ann }),
    ]);
    for (const { status, body, text } of answers) {
      expect(status).toBe(200);
      expect(text).toContain('a run of another project');
      expect(JSON.stringify(body)).not.toMatch(/secret|lab\b/);
    }
    const shown = await explain('instances', instance);
    expect(shown.body.events.at(-1).targets).toHaveLength(2);
    const seen = await explain('runs', 'train');
    expect(seen.body.summary).toContain('is busy with lab/secret');
  });

  it('are not named to a token of a program, even if its owner may see them', async () => {
    await busyWithOthers();
    await submit('train');
    const made = await server.call('/api/project/main/service_tokens/create', {
      name: 'agent',
      scope: 'read',
    });
    const answer = await explain('runs', 'train', { token: made.body.token });
    expect(answer.status).toBe(200);
    expect(answer.body.summary).toContain('a run of another project');
    expect(answer.text).not.toContain('secret');
  });
});

describe('permission to request an explanation', () => {
  it('belongs to members of the project only', async () => {
    await submit('train');
    const ann = await member('ann');
    expect((await explain('runs', 'train', { token: ann })).status).toBe(200);
    await server.call('/api/users/create', { username: 'bob', global_role: 'user' });
    const bob = await server.call('/api/users/get_user', { username: 'bob' });
    const token = bob.body.creds.token;
    for (const kind of KINDS) {
      expect((await explain(kind, 'train', { token })).status).toBe(403);
      expect((await explain(kind, 'train', { token: null })).status).toBe(401);
      expect((await explain(kind, 'train', { token: 'nobody-has-this' })).status).toBe(403);
    }
    expect((await explain('runs', 'train', { project: 'absent' })).status).toBe(404);
  });
});

describe('a run that is not submitted yet', () => {
  const planOf = async (more: object, token?: string) => {
    const run_spec = {
      run_name: 'train',
      configuration: { type: 'task', commands: ['true'], ...more },
      profile: { name: 'default' },
    };
    const answer = await server.call('/api/project/main/explain/plan', { run_spec }, { token });
    if (answer.status === 200) expectWire('explain.plan', answer.body);
    return answer;
  };
  const verdicts = ({ body }: TestAnswer) =>
    body.considered
      .filter((row: { kind: string }) => row.kind === 'fleet')
      .map((row: { fleet: string; verdict: string }) => `${row.fleet} ${row.verdict}`);

  it('is explained fleet by fleet, and creates nothing', async () => {
    await insertInstances(server, 1);
    const full = await planOf({});
    const name: string = full.body.considered[0].fleet;
    expect(verdicts(full)).toEqual([`${name} full`]);
    const refused = await planOf({ resources: { gpu: 'H200:8' } });
    expect(verdicts(refused)).toEqual([`${name} never`]);
    const other = await planOf({ fleets: ['elsewhere'] });
    expect(other.body.considered).toMatchObject([
      { fleet: name, verdict: 'never', rule: 'other_fleet', text: 'the run names elsewhere' },
    ]);
    expect((await explain('runs', 'train')).status).toBe(400);
  });

  it('is refused if nothing can be made of it, and to callers outside of the project', async () => {
    expect((await planOf({ commands: [], image: undefined })).status).toBeGreaterThanOrEqual(400);
    expect((await planOf({}, 'nobody-has-this')).status).toBe(403);
  });
});

describe('missing resources', () => {
  it.each(KINDS)('%s: the error names it', async (kind) => {
    for (const name of ['absent', 'absent-0', 'absent-0-0', 'a-999999999999999999-0', '..%2Fx']) {
      const { status, body } = await explain(kind, name);
      expect(status).toBe(400);
      expect(body.detail[0]).toMatchObject({ code: 'resource_not_exists' });
      expect(body.detail[0].msg).toContain('not found');
    }
    expect((await explain(kind, '%00')).status).toBe(404);
    expect((await explain(kind, 'x'.repeat(5000))).status).toBe(404);
  });

  it('a task is not a service', async () => {
    await submit('train');
    const { status, body } = await explain('services', 'train');
    expect(status).toBe(400);
    expect(body.detail[0].msg).toBe('Service train not found: the run train is a task');
  });

  it('an unknown kind is an unknown path', async () => {
    const path = '/api/project/main/explain/secrets/x';
    expect((await server.call(path, undefined, { method: 'GET' })).status).toBe(404);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serviceSeries } from '../../metrics/service-series.ts';
import { NO_MEMORY } from '../testing/offers.ts';
import { ProxiedServices } from '../testing/proxied-services.ts';
import { submitService } from '../testing/services.ts';

let proxy: ProxiedServices;
beforeAll(async () => {
  proxy = await ProxiedServices.start();
});
afterAll(() => proxy.close());

describe('a service that has been scaled to zero', () => {
  const scaling = { metric: 'rps', target: 1 };

  it('keeps a request until its first replica is ready, and signals the run', async () => {
    const more = { replicas: '0..2', scaling };
    const { id } = await submitService(proxy.server, 'asleep', more);
    const signalled: string[] = [];
    proxy.server.store.engine.onSignal((signal) => signalled.push(signal.id));
    const answer = proxy.get('asleep/x');
    while (!signalled.includes(id)) await new Promise((resolve) => setImmediate(resolve));
    const snapshot = await proxy.server.store.engine.loadRun(id, NO_MEMORY);
    expect(snapshot?.requests?.[60]).toBe(1);
    // Like scaling: one replica, which then runs.
    const { now, newId } = proxy.server.deps.context();
    const view = await proxy.server.store.runs.byId(id);
    const [first] = await proxy.server.store.jobs.ofRun((await proxy.service('donor')).id);
    const job = { ...first, id: newId(), runId: id, submittedAt: now, version: 0 } as never;
    await proxy.server.store.engine.apply([{ type: 'job.insert', job }]);
    expect(view?.run.status).toBe('pending');
    proxy.server.services.changed(id);
    expect((await answer).status).toBe(200);
  });

  it('is not started by callers without access', async () => {
    const { id } = await submitService(proxy.server, 'quiet', { replicas: '0..2', scaling });
    expect((await proxy.get('quiet/x', { headers: { authorization: 'Bearer no' } })).status).toBe(
      403,
    );
    expect((await proxy.server.store.engine.loadRun(id, NO_MEMORY))?.requests?.[60]).toBe(0);
  });
});

it('requests with the same value of a header go to the same replica', async () => {
  const affinity = { type: 'header', header: 'X-Session' };
  await proxy.service('sticky', { affinity });
  const appOf = async (session: string) =>
    (await proxy.get('sticky/', { headers: { 'X-Session': session } })).text();
  const sessions = [...Array(64).keys()].map(String);
  const first = await Promise.all(sessions.map(appOf));
  expect(new Set(first)).toEqual(new Set(['one /', 'two /']));
  expect(await Promise.all(sessions.map(appOf))).toEqual(first);
});

describe('an update of a service', () => {
  it('changes access, model, paths and limits without a restart', async () => {
    const { id, jobs } = await proxy.service('updated', { model: 'before', probes: [] });
    const run_spec = {
      ...{ run_name: 'updated', profile: { name: 'default' } },
      configuration: {
        ...{ type: 'service', port: 8000, commands: ['serve'], replicas: 2, probes: [] },
        ...{ auth: false, strip_prefix: false, model: 'after' },
        rate_limits: [{ prefix: '/limited', rps: 1 / 60 }],
      },
    };
    const { server } = proxy;
    const planned = await server.call('/api/project/main/runs/get_plan', { run_spec });
    expect(planned.body.action).toBe('update');
    const plan = { run_spec, current_resource: planned.body.current_resource };
    const answer = await server.call('/api/project/main/runs/apply', { plan, force: false });
    expect(answer.body.service.model.name).toBe('after');
    server.services.changed(id);
    const headers = { authorization: '' };
    const get = (path: string) => proxy.get(`updated/${path}`, { headers });
    expect(await (await get('x')).text()).toContain(' /proxy/services/main/updated/x');
    const statuses = [await get('limited'), await get('limited')].map(({ status }) => status);
    expect(statuses).toEqual([200, 429]);
    const list = await server.call('/proxy/models/main/models', undefined, { method: 'GET' });
    expect(list.body.data.map((model: { id: string }) => model.id)).toContain('after');
    const after = await server.store.jobs.ofRun(id);
    expect(after.map((job) => [job.id, job.status])).toEqual(
      jobs.map((job) => [job.id, 'running']),
    );
  });
});

describe('a replica whose probe fails', () => {
  const probes = [{ type: 'http', url: '/well' }];

  it('gets no requests until the probe succeeds again, except as the last one', async () => {
    const { id, jobs } = await proxy.service('probed', { probes });
    const report = async (n: number, successStreak: number) => {
      const jobId = jobs[n]?.id ?? '';
      const probe = { id: `probe-${n}`, jobId, probeNum: 0, successStreak, due: null };
      await proxy.server.store.jobs.insertProbes([probe]);
      await proxy.server.store.jobs.saveProbe(probe);
      proxy.server.services.changed(id);
    };
    const answering = async () => {
      const names: string[] = [];
      for (let i = 0; i < 4; i++) names.push(await (await proxy.get('probed/x')).text());
      return [...new Set(names)].sort();
    };
    expect(await answering()).toEqual(['one /x', 'two /x']);
    await report(0, 0);
    expect(await answering()).toEqual(['two /x']);
    await report(1, 0);
    expect(await answering()).toEqual(['one /x', 'two /x']);
    await report(0, 1);
    expect(await answering()).toEqual(['one /x']);
    const path = '/api/project/main/services/probed/state';
    const { body } = await proxy.server.call(path, undefined, { method: 'GET' });
    expect(body).toMatchObject({ in_flight: 0, held: 0, replicas: 2, ejected: 1 });
    expect(body).toMatchObject({ answered: { '2xx': 16 }, p99_ms: expect.any(Number) });
    expect(body.rps).toBeGreaterThan(0);
    const series = await serviceSeries(await proxy.server.services.states());
    const labels = 'dstack_project_name="main",dstack_run_name="probed"';
    expect(series).toContain(`dstack_service_requests_total{${labels},status="2xx"} 16`);
    expect(series).toContain(`dstack_service_replicas_ejected{${labels}} 1`);
    const duration = 'dstack_service_request_duration_seconds';
    expect(series).toContain(`# TYPE ${duration} histogram`);
    expect(series).toContain(`${duration}_bucket{${labels},le="+Inf"} 16`);
    expect(series).toContain(`${duration}_count{${labels}} 16`);
    const [first = ''] =
      (await proxy.server.store.services.byRun(id))?.replicas.map((one) => one.jobId) ?? [];
    const ofFirst = `${labels},dstack_job_id="${first}"`;
    const name = 'dstack_service_replica';
    const [, answers = ''] = series.split(`${name}_answer_seconds_count{${ofFirst}} `);
    expect(Number.parseInt(answers, 10)).toBeGreaterThan(0);
    expect(series).toContain(`${name}_requests_total{${ofFirst},status="2xx"} `);
  });
});

describe('a replica that is about to be stopped', () => {
  it('gets no new requests, and is idle when it has answered all', async () => {
    proxy.signals.next = Promise.withResolvers();
    const { jobs } = await proxy.service('leaving');
    const events = await Promise.all([proxy.get('leaving/events'), proxy.get('leaving/events')]);
    const idle = Promise.withResolvers<void>();
    const [job] = jobs;
    expect(proxy.server.services.leave(job?.id ?? '', idle.resolve)).toBe(false);
    const names = await Promise.all(
      [1, 2, 3].map(async () => (await proxy.get('leaving/x')).text()),
    );
    expect(new Set(names).size).toBe(1);
    proxy.signals.next.resolve();
    await Promise.all(events.map((answer) => answer.text()));
    await idle.promise;
    expect(proxy.server.services.leave(job?.id ?? '', () => {})).toBe(true);
  });
});

it('the figures of a service do not include those of an earlier run with its name', async () => {
  const { store, services } = proxy.server;
  const first = await proxy.service('again');
  await proxy.get('again/x');
  const version = (await store.runs.byId(first.id))?.run.version ?? 0;
  const set = { status: 'failed' } as const;
  await store.engine.apply([{ type: 'run.update', id: first.id, version, set }]);
  services.changed(first.id);
  await proxy.service('again');
  await proxy.get('again/x');
  const found = (await services.states()).filter(({ runName }) => runName === 'again');
  expect(found.map(({ answered }) => answered)).toEqual([{ '2xx': 1 }]);
});

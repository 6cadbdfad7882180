import { once } from 'node:events';
import type { Change, JobRecord, RunRecord } from '@dstack/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { json, ProxiedServices } from '../testing/proxied-services.ts';
import { submitService } from '../testing/services.ts';

let proxy: ProxiedServices;
beforeAll(async () => {
  proxy = await ProxiedServices.start();
});
afterAll(() => proxy.close());

const scaled = { replicas: '0..2', scaling: { metric: 'rps', target: 1 } };
const failed = { status: 'failed', terminationReason: 'job_failed' } as const;

/** Changes the run and its jobs like passes would, and notifies the proxy. */
async function become(id: string, run: Partial<RunRecord>, job: Partial<JobRecord> | null = null) {
  const { store, services } = proxy.server;
  const view = await store.runs.byId(id);
  const jobs = await store.jobs.ofRun(id);
  const changes: Change[] = [
    { type: 'run.update', id, version: view?.run.version ?? 0, set: run },
    ...jobs.flatMap(({ id: jobId, version }): Change[] =>
      job ? [{ type: 'job.update', id: jobId, version, set: job }] : [],
    ),
  ];
  expect(await store.engine.apply(changes)).toBe('applied');
  services.changed(id);
}

async function answerOf(name: string, init?: RequestInit) {
  const answer = await proxy.get(`${name}/x`, init);
  const { detail, code } = await json(answer);
  return { status: answer.status, detail, code, wait: answer.headers.get('retry-after') };
}

describe('a service without a replica returns the reason', () => {
  it('if its app has exited', async () => {
    const { id } = await proxy.service('exits', {}, [null]);
    const job = { status: 'failed', terminationReason: 'container_exited_with_error' } as const;
    await become(id, failed, { ...job, exitStatus: 7 });
    expect(await answerOf('exits')).toEqual({
      ...{ status: 503, code: 'exited', wait: '60' },
      detail: 'Service main/exits is not available: exited with code 7',
    });
  });

  it('if there is no capacity for it', async () => {
    const { id } = await submitService(proxy.server, 'waits', {});
    const reason = 'failed_to_start_due_to_no_capacity';
    const job = { terminationReason: reason, terminationMessage: 'No offers match' } as const;
    await become(id, failed, { status: 'failed', ...job });
    expect(await answerOf('waits')).toMatchObject({
      ...{ status: 503, code: 'no_capacity' },
      detail: 'Service main/waits is not available: no capacity: No offers match',
    });
    const anybody = await answerOf('waits', { headers: { authorization: 'Bearer no' } });
    expect(anybody).toMatchObject({ status: 404, detail: 'Service main/waits not found' });
  });

  it('if it is scaled to zero', async () => {
    await submitService(proxy.server, 'none', { replicas: 0 });
    expect(await answerOf('none')).toMatchObject({
      ...{ status: 503, code: 'scaled_to_zero', wait: '60' },
      detail: expect.stringContaining('scaled to 0'),
    });
  });

  it('if it is starting', async () => {
    const { id } = await submitService(proxy.server, 'young', {});
    await become(id, { status: 'provisioning' }, { status: 'pulling' });
    expect(await answerOf('young')).toMatchObject({
      ...{ status: 503, code: 'starting', wait: '5' },
      detail: 'Service main/young is not available: starting: its image is being pulled',
    });
  });

  it('to every caller who may use it, but without details for members only', async () => {
    const { id } = await submitService(proxy.server, 'open', { auth: false });
    const reason = 'failed_to_start_due_to_no_capacity';
    const job = { terminationReason: reason, terminationMessage: 'No offers match' } as const;
    await become(id, failed, { status: 'failed', ...job });
    expect(await answerOf('open', { headers: { authorization: '' } })).toMatchObject({
      ...{ status: 503, detail: 'Service main/open is not available: no capacity' },
    });
  });

  it('to WebSockets too', async () => {
    await submitService(proxy.server, 'sockets', { replicas: 0 });
    const socket = proxy.socket('main/sockets/ws');
    const [, response] = await once(socket, 'unexpected-response');
    expect([response.statusCode, response.headers['retry-after']]).toEqual([503, '60']);
    socket.on('error', () => {});
    socket.terminate();
  });
});

describe('a request that waits for the first replica', () => {
  const waiting = async (name: string, more: object = {}) => {
    const { id } = await submitService(proxy.server, name, { ...scaled, ...more });
    const signalled = Promise.withResolvers<void>();
    const end = proxy.server.store.engine.onSignal((signal) => {
      if (signal.id === id) signalled.resolve();
    });
    const answer = answerOf(name);
    await signalled.promise;
    end();
    return { id, answer };
  };

  it('fails at once with the reason when the run has failed', async () => {
    const { id, answer } = await waiting('asleep');
    const [first] = await proxy.server.store.jobs.ofRun((await proxy.service('donor')).id);
    const { now, newId } = proxy.server.deps.context();
    const end = { status: 'failed', terminationReason: 'container_exited_with_error' } as const;
    const own = { id: newId(), runId: id, submittedAt: now, version: 0, registered: false };
    const job = { ...first, ...own, ...end, exitStatus: 9 } as never;
    await proxy.server.store.engine.apply([{ type: 'job.insert', job }]);
    await become(id, failed);
    expect(await answer).toMatchObject({
      ...{ status: 503, code: 'exited' },
      detail: 'Service main/asleep is not available: exited with code 9',
    });
  });

  it('fails at once when the run was stopped', async () => {
    const { id, answer } = await waiting('dozing');
    await become(id, { status: 'terminated', terminationReason: 'stopped_by_user' });
    expect(await answer).toMatchObject({
      ...{ status: 503, detail: 'Service main/dozing is not available: stopped' },
    });
  });

  it('leaves others of the same service without a place, but not those of other services', async () => {
    const held = [await waiting('crowded')];
    held.push({ ...held[0], answer: answerOf('crowded') } as (typeof held)[0]);
    held.push({ ...held[0], answer: answerOf('crowded') } as (typeof held)[0]);
    const route = { projectName: 'main', runName: 'crowded' };
    for (;;) {
      const found = await proxy.server.services.find(route);
      if (found && proxy.server.services.state(found).held === 3) break;
    }
    const beyond = await proxy.get('crowded/');
    expect([beyond.status, beyond.headers.get('retry-after'), await json(beyond)]).toEqual([
      ...[503, '5'],
      {
        code: 'too_many_waiting',
        detail:
          'Service main/crowded is not available: 3 requests already wait for its first replica',
      },
    ]);
    const other = await waiting('roomy');
    const end = { status: 'terminated', terminationReason: 'stopped_by_user' } as const;
    await become(other.id, end);
    await become(held[0]?.id ?? '', end);
    expect((await other.answer).detail).toContain('stopped');
    for (const { answer } of held) expect((await answer).detail).toContain('stopped');
  });

  it('waits for as long, and beside as many others, as its service allows', async () => {
    const { answer } = await waiting('limited', { held_requests: { timeout: 1, limit: 1 } });
    expect(await answerOf('limited')).toMatchObject({ status: 503, code: 'too_many_waiting' });
    expect(await answer).toMatchObject({ status: 503, code: 'scaled_to_zero' });
  });

  it('fails when a run with a gateway has taken the name', async () => {
    const { id, answer } = await waiting('moved');
    await become(id, { gatewayId: proxy.server.deps.context().newId() });
    expect(await answer).toMatchObject({ status: 404, detail: 'Service main/moved not found' });
  });
});

it('a replica whose app has exited meanwhile is not a bad gateway', async () => {
  const { jobs } = await proxy.service('races', {}, [proxy.apps[0]?.port ?? 0]);
  // The proxy still has the replica, and has not been notified of its end yet.
  expect((await proxy.get('races/x')).status).toBe(200);
  const end = { status: 'failed', terminationReason: 'container_exited_with_error' } as const;
  const changes = jobs.map(({ id, version }): Change => {
    return { type: 'job.update', id, version, set: { ...end, exitStatus: 137 } };
  });
  await proxy.server.store.engine.apply(changes);
  const answer = await proxy.get('races/drops');
  expect([answer.status, (await json(answer)).detail]).toEqual([
    503,
    'Service main/races is not available: exited with code 137',
  ]);
});

import type { GatewayCounts as Counted } from '@dstack/contract/agent';
import type { ServiceView } from '@dstack/store';
import { expect, it } from 'vitest';
import { serviceSeries } from '../metrics/service-series.ts';
import { GatewayFigures } from './gateway-figures.ts';

const view = (id: string, isFailing = false) =>
  ({
    run: { id, name: `name-of-${id}`, gatewayId: 'edge' },
    projectName: 'main',
    replicas: [
      { jobId: 'a', isFailing },
      { jobId: 'b', isFailing: false },
    ],
  }) as unknown as ServiceView;

const counted = (id: string, answered: Record<string, number> = { '2xx': 4 }): Counted => ({
  ...{ run_id: id, in_flight: 1, held: 2, ejected: 0 },
  requests: { answered, slices: [{ number: 99, count: 4, buckets: [[8, 4]] }] },
  mirrored: { answered: { dropped: 1 }, slices: [] },
  replicas: {
    a: { answered: { failed: 2 }, latencies: { seconds: 3, counts: [1, 2] } },
    left: { answered: { '2xx': 1 }, latencies: { seconds: 3, counts: [1] } },
  },
});

function figures(views: readonly ServiceView[]) {
  return new GatewayFigures({
    services: {
      onGateway: async (id) => views.find(({ run }) => run.id === id) ?? null,
      behindGateway: async () => [...views],
    },
    now: () => 1_000_000,
  });
}

it('the replicas of a gateway are added up', async () => {
  const all = figures([view('web', true)]);
  for (const replica of ['r0', 'r1']) {
    all.opened(replica, 'edge', () => true);
    all.put(replica, [counted('web')]);
  }
  const state = await all.of('web');
  expect(state).toMatchObject({
    ...{ inFlight: 2, held: 4, replicas: 2, ejected: 1, answered: { '2xx': 8 } },
    mirrored: { answered: { dropped: 2 } },
  });
  expect(state?.rps).toBeGreaterThan(0);
  expect(state?.p50).toBeGreaterThan(0);
  const text = await serviceSeries(await all.states());
  expect(text).toContain(
    'dstack_service_requests_total{dstack_project_name="main",dstack_run_name="name-of-web",status="2xx"} 8',
  );
  const ofReplica = 'dstack_project_name="main",dstack_run_name="name-of-web",dstack_job_id="a"';
  expect(text).toContain(`dstack_service_replica_requests_total{${ofReplica},status="failed"} 4`);
  expect(text).toContain(`dstack_service_replica_answer_seconds_sum{${ofReplica}} 6`);
  expect(text).not.toContain('left');
  expect(text).toMatch(/mirrored_requests_total\{.*status="dropped"\} 2/);
});

it('the totals never become smaller while a replica is away or its program starts again', async () => {
  const all = figures([view('web')]);
  const total = async () => (await all.of('web'))?.answered['2xx'];
  let isOpen = true;
  all.opened('r0', 'edge', () => isOpen);
  all.opened('r1', 'edge', () => true);
  all.put('r0', [counted('web', { '2xx': 5 })]);
  all.put('r1', [counted('web', { '2xx': 7 })]);
  isOpen = false;
  expect(await total()).toBe(12);
  all.opened('r0', 'edge', () => true);
  expect(await total()).toBe(12);
  // The same program has counted more.
  all.put('r0', [counted('web', { '2xx': 6 })]);
  expect(await total()).toBe(13);
  all.opened('r0', 'edge', () => true);
  // Another program begins anew.
  all.put('r0', [counted('web', { '2xx': 1 })]);
  expect(await total()).toBe(14);
});

it('a gateway counts only for its own services, and only while its program is connected', async () => {
  const other = { ...view('other'), run: { ...view('other').run, gatewayId: 'elsewhere' } };
  const all = figures([view('web'), other]);
  let isOpen = true;
  all.opened('r0', 'edge', () => isOpen);
  all.put('r0', [counted('web'), counted('other')]);
  expect(await all.of('other')).toBeNull();
  expect(await all.of('unknown')).toBeNull();
  isOpen = false;
  expect(await all.of('web')).toBeNull();
  expect(await all.states()).toEqual([]);
  isOpen = true;
  all.opened('r0', 'edge', () => isOpen);
  expect(await all.of('web')).toMatchObject({ answered: {}, replicas: 2 });
  all.forget('r0');
  expect(await all.of('web')).toBeNull();
});

it('each replica of a gateway reports what it answers, and nothing of the present while it is away', () => {
  const all = figures([view('web')]);
  let isOpen = true;
  all.opened('r0', 'edge', () => isOpen);
  const avoided = { until: 5, errors: 3, rate: null, others: null };
  const recent = { requests: 4, errors: 3, buckets: [[8, 4]] };
  const tokens = { answers: 1, prompt_tokens: 2, completion_tokens: 3 };
  const model = {
    ...tokens,
    ...{ first: { seconds: 1, counts: [1] }, recent: { ...tokens, buckets: [] } },
  };
  const replicas = [{ job_id: 'j', in_flight: 1, avoided, recent }];
  all.put('r0', [{ ...counted('web'), replica_states: replicas, model }]);
  const part = () => all.parts('web', 'edge')[0];
  expect(all.parts('web', 'other')).toEqual([]);
  expect(part()).toMatchObject({
    ...{ replicaId: 'r0', isLive: true, inFlight: 1, held: 2, knowsReplicas: true },
    requests: { answered: { '2xx': 4 } },
    replicas: [
      { jobId: 'j', inFlight: 1, recent, avoided: { why: { cause: 'errors_in_row', errors: 3 } } },
    ],
    model: { completionTokens: 3, recent: { completionTokens: 3 } },
  });
  isOpen = false;
  expect(part()).toMatchObject({
    ...{ isLive: false, inFlight: 0, held: 0, replicas: [], requests: { answered: { '2xx': 4 } } },
    model: { completionTokens: 3, recent: { completionTokens: 0 } },
  });
  // A program of an earlier version does not count by replica.
  all.opened('r0', 'edge', () => true);
  all.put('r0', [counted('web', { '2xx': 9 })]);
  expect(part()).toMatchObject({ knowsReplicas: false, replicas: [] });
});

import { afterAll, beforeAll, expect, it } from 'vitest';
import { gpuOffer, LOCAL_OFFER } from '../testing/offers.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  server.offers.push(LOCAL_OFFER, gpuOffer('aws', 'H100', 8, 98.32));
});
afterAll(() => server.close());

const wanting = (resources: object) => ({
  configuration: { type: 'task', commands: ['echo hello'], image: 'scratch', resources },
  profile: { name: 'default' },
});

it('runs are searched for offers everywhere if only offers are requested', async () => {
  const spec = wanting({ gpu: 'H100:8' });
  const request = { run_spec: spec, for_offers_only: true, max_offers: 1 };
  const plan = await server.call('/api/project/main/runs/get_plan', request);
  expect(plan.body.job_plans[0]).toMatchObject({
    total_offers: 1,
    max_price: 98.32,
    offers: [{ backend: 'aws' }],
  });
});

it('runs are offered identical nodes of a cluster in one line, of which official clients do not know', async () => {
  const { resources } = LOCAL_OFFER.instance;
  for (const name of ['n1', 'n2']) {
    const instance = { name, resources: { ...resources, memory_mib: 2 ** 21 } };
    server.offers.push({ ...LOCAL_OFFER, backend: 'kubernetes', instance });
  }
  const spec = wanting({ memory: '2TB' });
  const request = { run_spec: spec, for_offers_only: true };
  const offersFor = async (agent: string) => {
    const options = { headers: { 'user-agent': agent } };
    const plan = await server.call('/api/project/main/runs/get_plan', request, options);
    return plan.body.job_plans[0].offers;
  };
  expect(await offersFor('dstack-cli')).toMatchObject([
    { instance: { name: 'n1' }, nodes: { count: 2, names: ['n1', 'n2'] } },
  ]);
  const theirs = await offersFor('python-requests/2');
  expect(theirs).toMatchObject([{ instance: { name: 'n1' } }, { instance: { name: 'n2' } }]);
  expect(theirs[0]).not.toHaveProperty('nodes');
});

it('a plan without an offer names closed machines only if the run asked for them', async () => {
  const note = {
    backend: 'kubernetes',
    rule: 'cordoned',
    text: 'new jobs are kept off n9',
  } as const;
  server.offerNotes.set('everything', note);
  const request = { run_spec: wanting({ gpu: 'H100:999' }), for_offers_only: true };
  const { body } = await server.call('/api/project/main/runs/get_plan', request);
  expect(body.job_plans[0].total_offers).toBe(0);
  expect(body.notes.join()).not.toContain('n9');
  server.offerNotes.set('everything', { ...note, rule: 'backend_error' });
  const failing = await server.call('/api/project/main/runs/get_plan', request);
  expect(failing.body.notes).toContain('kubernetes: new jobs are kept off n9');
});

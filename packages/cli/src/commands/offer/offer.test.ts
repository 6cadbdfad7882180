import type { RunPlan } from '@dstack/contract/wire';
import { expect, test } from 'vitest';
import { type FakeServer, startFakeServer } from '../../testing/fake-server.ts';
import { parseCommand } from '../../testing/parse-command.ts';
import { recordedAnswer, recording } from '../../testing/recordings.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';
import { declareOffer, type OfferOptions } from './offer.ts';

const BASE = '/api/project/main';
const H100 = {
  name: 'H100',
  memory_mib: 81_920,
  vendor: 'nvidia',
  availability: ['not_available'],
  spot: ['spot', 'on-demand'],
  count: { min: 1, max: 8 },
  price: { min: 2.1, max: 4.2 },
  backends: ['aws', 'gcp'],
  regions: ['a', 'b', 'c', 'd'],
};

async function serving(gpus: unknown[] = [H100]): Promise<FakeServer> {
  const plan = await recordedAnswer('offer', `${BASE}/runs/get_plan`);
  return startFakeServer({
    [`POST ${BASE}/runs/get_plan`]: { json: plan },
    [`POST ${BASE}/gpus/list`]: { json: { gpus } },
  });
}

test.each<[string[], object]>([
  [['offer'], { format: 'table', groupBy: [], flags: { maxOffers: 50, gpu: null } }],
  [['offer', '--gpu', 'H100', '--max-offers', '10'], { flags: { gpu: 'H100', maxOffers: 10 } }],
  [
    ['offer', '--group-by', 'gpu,backend', '--group-by', 'region'],
    { groupBy: ['gpu', 'backend', 'region'] },
  ],
  [['offer', '--fleet', 'f', '--json'], { format: 'json', flags: { profile: { fleets: ['f'] } } }],
])('%j means %j', async (argv, expected) => {
  let options: OfferOptions | null = null;
  const keep = async (given: OfferOptions): Promise<void> => {
    options = given;
  };
  await parseCommand((program, cli) => declareOffer(program, cli, keep), argv);
  expect(options).toMatchObject(expected);
});

test.each([['backend'], ['gpu,nonsense']])('--group-by %s is refused', async (fields) => {
  const fake = await serving();
  const { code } = await runCommand(['offer', '--group-by', fields], { env: serverEnv(fake.url) });
  expect(code).toBe(2);
});

test('the request is that of the official client', async () => {
  const fake = await serving();
  await runCommand(['offer'], { env: serverEnv(fake.url) });
  const theirs = (await recording('offer'))[0]?.request as {
    run_spec: { configuration: { resources: unknown } };
  };
  const ours = fake.bodyOf(`${BASE}/runs/get_plan`) as typeof theirs;
  // The recording was made with its own flags.
  theirs.run_spec.configuration.resources = ours.run_spec.configuration.resources;
  expect(ours).toEqual({ ...theirs, max_offers: 50 });
});

test('offers are shown as a table that ends with the number of hidden offers', async () => {
  const fake = await serving();
  const env = serverEnv(fake.url);
  const { out, err } = await runCommand(['offer', '--max-offers', '1'], { env });
  expect(out).toContain(
    ' 1  ssh (remote)  cpu=1 mem=11.8GB disk=67.6GB  instance (1/2)  $0     idle',
  );
  expect(out).toMatch(/\n {4}\.\.\.\n Shown 1 of \d+ offers, \$0 max\n$/);
  expect(err).toContain('--fleet NAME');
});

test('identical nodes of a cluster are one line, and each has its name for programs', async () => {
  const plan = (await recordedAnswer('offer', `${BASE}/runs/get_plan`)) as RunPlan;
  const [job] = plan.job_plans;
  const [offer] = job?.offers ?? [];
  if (!job || !offer) throw new Error('the recording has no offer');
  const names = ['n1', 'n2', 'n3'];
  const instance = { ...offer.instance, name: 'n1' };
  const grouped = { ...offer, instance, total_blocks: 1, nodes: { count: 3, names } };
  const answer = { ...plan, job_plans: [{ ...job, offers: [grouped], total_offers: 1 }] };
  const fake = await startFakeServer({ [`POST ${BASE}/runs/get_plan`]: { json: answer } });
  const env = serverEnv(fake.url);
  expect((await runCommand(['offer'], { env })).out).toContain('  n1 and 2 more  ');
  expect((await runCommand(['offer', '-o', 'name'], { env })).out).toBe('n1\nn2\nn3\n');
  const { out } = await runCommand(['offer', '--json'], { env });
  expect(JSON.parse(out).offers[0].nodes).toEqual({ count: 3, names });
});

test('SSH hosts are named by their addresses', async () => {
  const plan = (await recordedAnswer('offer', `${BASE}/runs/get_plan`)) as RunPlan;
  const [job] = plan.job_plans;
  const [offer] = job?.offers ?? [];
  if (!job || !offer) throw new Error('the recording has no offer');
  const answer = {
    ...plan,
    job_plans: [{ ...job, offers: [{ ...offer, hostname: '10.0.0.5' }], total_offers: 1 }],
  };
  const fake = await startFakeServer({ [`POST ${BASE}/runs/get_plan`]: { json: answer } });
  const env = serverEnv(fake.url);
  expect((await runCommand(['offer'], { env })).out).toContain(' 1  ssh (10.0.0.5)  cpu=1 ');
  const { out } = await runCommand(['offer', '--json'], { env });
  expect(JSON.parse(out).offers[0].hostname).toBe('10.0.0.5');
});

test('--json has requirements and offers on one line', async () => {
  const fake = await serving();
  const { out } = await runCommand(['offer', '--json'], { env: serverEnv(fake.url) });
  expect(out.trimEnd()).not.toContain('\n');
  expect(JSON.parse(out)).toMatchObject({
    project: 'main',
    user: 'admin',
    requirements: { max_price: null, reservation: null },
    offers: [{ backend: 'ssh', region: 'remote', price: 0, availability: 'idle' }, {}],
  });
});

test('offers are grouped by device', async () => {
  const fake = await serving();
  const { out } = await runCommand(['offer', '--group-by', 'gpu'], { env: serverEnv(fake.url) });
  expect(out).toContain(
    ' 1  H100:80GB:1..8  spot, on-demand  2.1..4.2  aws, gcp (4 regions)  not available\n',
  );
  expect(out).toMatch(/Spot policy +on-demand\n/);
  expect(fake.bodyOf(`${BASE}/gpus/list`)).toMatchObject({ group_by: [] });
});

test('no offers are not an error', async () => {
  const fake = await serving([]);
  const { out, code } = await runCommand(['offer', '--group-by', 'gpu'], {
    env: serverEnv(fake.url),
  });
  expect(code).toBe(0);
  expect(out).toContain('No matching GPU offers');
});

test('the reason for having no offers is printed', async () => {
  const plan = await recordedAnswer<RunPlan>('offer', `${BASE}/runs/get_plan`);
  const jobs = plan.job_plans.map((job) => ({ ...job, offers: [], total_offers: 0 }));
  const server = await startFakeServer({
    [`POST ${BASE}/runs/get_plan`]: {
      json: { ...plan, job_plans: jobs, notes: ['2 offers are ruled out by `gpu`'] },
    },
  });
  const { out } = await runCommand(['offer'], { env: serverEnv(server.url) });
  expect(out).toContain(' note: 2 offers are ruled out by `gpu`\n');
});

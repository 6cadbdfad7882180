/** Reports that programs of gateways send once, and their effects. */
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { type LinkedGateway, linkedGateway } from './testing/linked-gateway.ts';

let world: LinkedGateway;
beforeAll(async () => {
  world = await linkedGateway();
});
afterAll(() => world.close());

it('one event reports why nginx leaves all requests to the workers', async () => {
  const status = {
    ...{ type: 'status', state: 'ready', text: null, version: '1', public_key: null },
    certificates: [],
  } as const;
  world.program.send({ ...status, not_plain: 'there is no module' });
  world.program.send(status);
  await world.settled();
  const text =
    'Workers of replica 0 of gateway edge answer all requests, which nginx was to answer itself: there is no module';
  const reported = async () => {
    const all = await world.server.store.events.list({ visibleTo: null });
    return all.filter(({ message }) => message === text).length;
  };
  await expect.poll(reported).toBe(1);
});

it('a replica that it serves is believed to be avoided', async () => {
  const { own } = world;
  const figures = { ms: 5000, errors: null, rate: 0.5, others: 0.1 };
  world.program.send({ type: 'avoided', run_id: own.id, job_id: own.jobId, ...figures });
  await world.settled();
  expect(world.avoided).toEqual([
    {
      ...{ runId: own.id, jobId: own.jobId, ms: 5000 },
      why: { cause: 'error_rate', rate: 0.5, others: 0.1 },
    },
  ]);
});

it('settings that could not be read are sent later, and end no server', async () => {
  const unhandled = vi.fn();
  process.on('unhandledRejection', unhandled);
  onTestFinished(() => void process.off('unhandledRejection', unhandled));
  const { gateways } = world.server.store;
  const read = vi.spyOn(gateways, 'certificates');
  onTestFinished(() => read.mockRestore());
  read.mockRejectedValueOnce(new Error('the database is away'));
  const sent = () => world.program.received.filter(({ type }) => type === 'settings').length;
  const before = sent();
  world.links.changed(world.gatewayId);
  await expect.poll(() => read.mock.calls.length).toBeGreaterThan(0);
  await expect.poll(sent).toBe(before + 1);
  expect(unhandled).not.toHaveBeenCalled();
});

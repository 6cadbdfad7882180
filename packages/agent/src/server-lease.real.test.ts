import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AgentHarness, jobSpec } from './testing/agent-harness.ts';

let agent: AgentHarness;
beforeEach(async () => {
  agent = new AgentHarness();
  await agent.start();
});
afterEach(() => agent.dispose());

const grant = (seconds: number | null, ending = 'exit') =>
  agent.call('PUT', '/v1/lease', { seconds, ending });

describe('an agent without its server', () => {
  it('ends with its lease', async () => {
    const stream = await agent.connect();
    expect((await grant(1)).status).toBe(204);
    await stream.close();
    expect(await agent.ended()).toBe(0);
    expect(agent.log).toContain('the server has not been here for the time of the lease');
  });

  it('ends with a lease that an earlier agent received', async () => {
    await grant(1);
    await agent.end('SIGKILL');
    await agent.start();
    expect(await agent.ended()).toBe(0);
  });

  it.each([
    ['stops a job without a limit after a second lease', null, 'terminated_by_server'],
    ['lets a job go on to the end of its `max_duration`', 4, 'max_duration_exceeded'],
  ])('%s, and then ends', async (_what, max_duration, reason) => {
    const stream = await agent.connect();
    const spec = jobSpec(['sleep 1000'], { max_duration });
    const reached = (phase: string) =>
      stream.until(() => stream.states(spec.id).find((state) => state.phase === phase));
    await agent.put(spec);
    await reached('running');
    await grant(1);
    expect(await reached('exited')).toMatchObject({ exit: { reason } });
    expect(await agent.ended()).toBe(0);
  });
});

it('the pings of the server renew the lease', async () => {
  const stream = await agent.connect();
  await grant(10);
  const renewed = () =>
    JSON.parse(readFileSync(join(agent.state, 'lease.json'), 'utf8')).renewed.seconds;
  const granted = renewed();
  // It is stored again once a tenth of it has passed.
  await vi.waitFor(
    () => {
      stream.ping();
      expect(renewed()).toBeGreaterThanOrEqual(granted + 1);
    },
    { timeout: 30_000, interval: 100 },
  );
});

it('a lease of the wrong form is refused, and one with an unknown ending is left alone', async () => {
  expect(await agent.call('PUT', '/v1/lease', { seconds: 'soon', ending: 'exit' })).toMatchObject({
    ...{ status: 400, body: { code: 'bad_request' } },
  });
  expect((await grant(1, 'a way that only newer agents support')).status).toBe(204);
  await vi.waitFor(() => expect(agent.log).toContain('lease ignored'), { timeout: 10_000 });
});

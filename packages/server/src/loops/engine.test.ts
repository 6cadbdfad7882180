import type { Change } from '@dstack/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decisionContext } from '../decision-context.ts';
import { NO_HINTS } from '../http/testing/offers.ts';
import { startTestServer, type TestServer } from '../http/testing/test-server.ts';
import { compileSettings } from '../settings.ts';
import { Engine } from './engine.ts';
import { LogQuota } from './log-quota.ts';
import { RunChanges } from './run-changes.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server.close());

/** Loops for which the given time passes after each write that sets a run's alarm. */
function engine(secondsPerAlarm: number, changes: RunChanges): Engine {
  const { store, deps } = server;
  const context = decisionContext(compileSettings({ HOME: '/nowhere' }), store.cipher);
  return new Engine({
    store,
    changes,
    offers: { ...deps.offers, hints: async () => NO_HINTS },
    effect: async () => ({ ending: 'done' }),
    effectIsOurs: async () => true,
    backends: { find: async () => null },
    links: { follow: async () => {} },
    hosts: { isElsewhere: async () => false },
    context: () => ({ ...context(), now: deps.context().now }),
    observer: {
      passEnded: () => {},
      applied: (written) => {
        const isSet = (one: Change) => one.type === 'run.update' && one.set.nextPassAt != null;
        if (written.some(isSet)) server.advance(secondsPerAlarm);
      },
    },
    quota: new LogQuota(store, deps.log),
    log: deps.log,
    owner: 'test',
  });
}

describe('the loops', () => {
  it('continue at once with work that became due while its alarm was being set', async () => {
    const retry = { on_events: ['no-capacity'], duration: '2m' };
    const configuration = { type: 'task', name: 'late', commands: ['true'], retry };
    const fleet = { type: 'fleet', name: 'default', nodes: '0..1', resources: { gpu: 0 } };
    const path = '/api/project/main';
    await server.call(`${path}/fleets/apply`, {
      plan: { spec: { configuration: fleet, profile: {} } },
      force: false,
    });
    const applied = await server.call(`${path}/runs/apply`, {
      plan: { run_spec: { run_name: 'late', configuration } },
      force: false,
    });
    const changes = new RunChanges();
    const loops = engine(180, changes);
    await loops.start();
    try {
      await new Promise<void>((resolve) => {
        changes.watch(applied.body.id, () => {
          void server.call(`${path}/runs/get`, { run_name: 'late' }).then(({ body }) => {
            if (body.status === 'failed') resolve();
          });
        });
      });
    } finally {
      await loops.close();
    }
    const { body } = await server.call(`${path}/runs/get`, { run_name: 'late' });
    expect(body).toMatchObject({ status: 'failed', termination_reason: 'retry_limit_exceeded' });
  });
});

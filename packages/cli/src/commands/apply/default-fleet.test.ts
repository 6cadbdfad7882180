import { expect, test } from 'vitest';
import { apply, BASE, recordedRoutes, TASK } from '../../testing/apply-run.ts';
import { type Route, startFakeServer } from '../../testing/fake-server.ts';

/** A project without fleets, until one is applied. */
async function emptyProject() {
  const routes = await recordedRoutes('apply-d');
  const planned = (routes[`POST ${BASE}/runs/get_plan`] as { json: { job_plans: object[] } }).json;
  const fleets: object[] = [];
  const own: Record<string, Route> = {
    [`POST ${BASE}/runs/get_plan`]: () => ({
      json:
        fleets.length > 0
          ? planned
          : { ...planned, job_plans: planned.job_plans.map((job) => ({ ...job, offers: [] })) },
    }),
    [`POST ${BASE}/fleets/list`]: () => ({ json: fleets }),
    [`POST ${BASE}/fleets/get_plan`]: ({ body }) => ({ json: body }),
    [`POST ${BASE}/fleets/apply`]: () => {
      fleets.push({ name: 'default', project_name: 'main' });
      return { json: { name: 'default' } };
    },
  };
  return startFakeServer({ ...routes, ...own });
}

test('in a project without fleets one is offered, created, and used by the plan', async () => {
  const fake = await emptyProject();
  const { code, out, err } = await apply(TASK, ['-d'], fake, { terminal: 100, input: '\ny\n' });
  expect(err.replaceAll(/\x1b\[[\d;]*m/g, '')).toContain('Create fleet default (0..1)? [Y/n]:');
  expect(fake.bodyOf(`${BASE}/fleets/apply`)).toMatchObject({
    plan: { spec: { configuration: { name: 'default', nodes: { min: 0, max: 1 } } } },
  });
  expect(out).not.toContain('has no fleets');
  expect(code).toBe(0);
});

test.each([
  ['the answer no', [], { terminal: 100, input: 'n\nn\n' }],
  ['--yes', ['-y', '-d'], { terminal: 100 }],
  ['no terminal', [], { input: 'n\n' }],
])('with %s no fleet is created', async (_, argv, options) => {
  const fake = await emptyProject();
  const { out } = await apply(TASK, argv, fake, options);
  expect(fake.calls).not.toContain(`POST ${BASE}/fleets/apply`);
  expect(out).toContain('has no fleets');
});

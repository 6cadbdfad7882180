import type { RunPlan } from '@dstack/contract/wire';
import { expect, test } from 'vitest';
import {
  apply,
  attachedRun,
  BASE,
  recordedRoutes,
  TASK,
  withStatus,
} from '../../testing/apply-run.ts';
import { type Route, runEvent, startFakeServer } from '../../testing/fake-server.ts';
import { recordedAnswer } from '../../testing/recordings.ts';

test('"no" shows the plan, submits nothing and ends with exit code 0', async () => {
  const fake = await startFakeServer(await recordedRoutes('apply-d'));
  const { code, out, err } = await apply(TASK, [], fake, { input: 'n\n' });
  expect(code).toBe(0);
  expect(out).toBe(
    [
      ' Project        main',
      ' User           admin',
      ' Type           task (nodes=1)',
      ' Resources      cpu=x86:1.. mem=0.1GB.. disk=1GB..',
      ' Spot policy    on-demand',
      ' Max price      off',
      ' Retry policy   off',
      ' Idle duration  5m',
      ' Max duration   off',
      '',
      ' #  BACKEND       RESOURCES                     INSTANCE TYPE   PRICE',
      ' 1  ssh (remote)  cpu=1 mem=11.8GB disk=67.6GB  instance (1/2)  $0     idle',
      ' 2  ssh (remote)  cpu=1 mem=11.8GB disk=67.6GB  instance (1/2)  $0     idle',
      '',
      '',
    ].join('\n'),
  );
  expect(err).toBe('Submit the run cdd080? [y/n]: \nExiting...\n');
  expect(fake.calls).toEqual([`POST ${BASE}/runs/get_plan`]);
});

test('the end of the input counts as no answer', async () => {
  const fake = await startFakeServer(await recordedRoutes('apply-d'));
  const { code, err } = await apply(TASK, [], fake);
  expect(code).toBe(2);
  expect(err).toContain('next: pass --yes');
  expect(fake.calls).not.toContain(`POST ${BASE}/runs/apply`);
});

test('a plan without offers reports whether there are fleets', async () => {
  const routes = await recordedRoutes('apply-no-capacity');
  const some = await startFakeServer(routes);
  expect((await apply(TASK, [], some, { input: 'n\n' })).out).toContain(
    'No matching instance offers',
  );
  await some.stop();
  const none = await startFakeServer({ ...routes, [`POST ${BASE}/fleets/list`]: { json: [] } });
  expect((await apply(TASK, [], none, { input: 'n\n' })).out).toContain('has no fleets');
});

test.each([
  ['ends', 'Nothing that matches is free now: the run would end at once.'],
  ['waits', 'Nothing that matches is free now: the run waits.'],
  ['retries', 'Nothing that matches is free now: its `retry` lets the run wait.'],
] as const)('a plan whose offers are all in use reports that the run %s', async (what, text) => {
  const recorded = await recordedAnswer<RunPlan>('apply-d', `${BASE}/runs/get_plan`);
  const outlook = what === 'retries' ? 'waits' : what;
  const retry = what === 'retries' ? { on_events: ['no-capacity'], duration: 60 } : null;
  const job_plans = recorded.job_plans.map((one) => ({
    ...one,
    job_spec: { ...one.job_spec, retry },
  }));
  const plan = { ...recorded, job_plans };
  const routes = {
    ...(await recordedRoutes('apply-d')),
    [`POST ${BASE}/runs/get_plan`]: { json: { ...plan, outlook } },
  };
  const fake = await startFakeServer(routes);
  const { out } = await apply(TASK, [], fake, { input: 'n\n' });
  expect(out.replaceAll(/\s+/g, ' ')).toContain(text);
});

test('a run that names only fleets that do not exist is not submitted', async () => {
  const fake = await startFakeServer({
    ...(await recordedRoutes('apply-no-capacity')),
    [`POST ${BASE}/fleets/list`]: { json: [{ name: 'lab', project_name: 'main' }] },
  });
  const plan = await recordedAnswer<RunPlan>('apply-no-capacity', `${BASE}/runs/get_plan`);
  const spec = plan.effective_run_spec ?? plan.run_spec;
  Object.assign(spec.configuration, { fleets: [{ name: 'lib', project: null }] });
  fake.set(`POST ${BASE}/runs/get_plan`, { json: plan });
  const { code, err } = await apply(TASK, ['-y', '-d'], fake);
  expect(code).toBe(3);
  expect(err).toContain(
    'error: Fleet lib does not exist\n  why:  project main has the fleets lab\n',
  );
  expect(err).toContain('did you mean lab?');
  expect(fake.calls).not.toContain(`POST ${BASE}/runs/apply`);
});

async function planWith(change: (plan: RunPlan) => void): Promise<Record<string, Route>> {
  const routes = await recordedRoutes('apply-same-name-refused');
  const plan = await recordedAnswer<RunPlan>('apply-same-name-refused', `${BASE}/runs/get_plan`);
  change(plan);
  return { ...routes, [`POST ${BASE}/runs/get_plan`]: { json: plan } };
}

test('-y leaves an unchanged active run alone, --force overrides it', async () => {
  const routes = await planWith(() => {});
  const fake = await startFakeServer({
    ...routes,
    [`POST ${BASE}/runs/stop`]: { json: null },
    [`GET ${BASE}/runs/watch`]: {
      events: [runEvent(withStatus(await attachedRun(), 'terminated', 'terminated', 'stopped'))],
      open: true,
    },
    [`POST ${BASE}/runs/apply`]: { json: await attachedRun() },
  });
  const alone = await apply(TASK, ['-y', '-d'], fake);
  expect([alone.code, alone.err]).toEqual([
    0,
    'Exiting... (nothing to change; --force submits anyway)\n',
  ]);
  expect(alone.out).toContain('Detected no configuration changes');
  expect(fake.calls).not.toContain(`POST ${BASE}/runs/apply`);
  await apply(TASK, ['-y', '-d', '--force'], fake);
  expect(fake.calls.slice(-4)).toEqual([
    `POST ${BASE}/repos/init`,
    `POST ${BASE}/runs/stop`,
    `GET ${BASE}/runs/watch`,
    `POST ${BASE}/runs/apply`,
  ]);
});

test('changes of an active run are listed before the question', async () => {
  const routes = await planWith((plan) => {
    if (plan.effective_run_spec) plan.effective_run_spec.configuration.priority = 7;
  });
  const fake = await startFakeServer(routes);
  const { out, err } = await apply(TASK, [], fake, { input: 'n\n' });
  expect(out).toContain(
    'can be updated in-place:\n- Configuration properties:\n  - priority: 0 -> 7\n',
  );
  expect(err).toContain('Update the run? [y/n]');
});

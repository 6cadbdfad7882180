import type { Run, RunPlan } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { editConflict } from './edit-conflict.ts';

const plan = (current: object | null, status: Run['status'] = 'running') =>
  ({
    run_spec: { configuration: { type: 'service', port: 80 } },
    current_resource: current && { status, run_spec: { run_name: 'api', configuration: current } },
  }) as unknown as RunPlan;

const service = (replicas: number) => ({ type: 'service', replicas });

it('is a change by another user between the plan and the submission', () => {
  const conflict = editConflict(plan(service(1)), plan(service(2)));
  expect(conflict).toMatchObject({ name: 'api' });
  expect(conflict?.before).toContain('replicas: 1');
  expect(conflict?.theirs).toContain('replicas: 2');
  expect(conflict?.mine).toContain('port: 80');
});

it('is a run of the same name that another user submitted', () => {
  expect(editConflict(plan(null), plan(service(1)))).toMatchObject({ before: '' });
  expect(editConflict(plan(service(1), 'done'), plan(service(1)))).toMatchObject({ before: '' });
});

it('is nothing else', () => {
  expect(editConflict(plan(service(1)), plan(service(1)))).toBeNull();
  expect(editConflict(plan(service(1)), plan(null))).toBeNull();
  expect(editConflict(plan(service(1)), plan(service(2), 'failed'))).toBeNull();
});

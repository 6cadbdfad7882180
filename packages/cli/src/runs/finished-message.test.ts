import type { Run } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { finishedMessage } from './finished-message.ts';

function failedPull(image: string | null, region: string): Run {
  const submission = {
    ...{
      status: 'failed',
      status_message: 'failed',
      termination_reason: 'creating_container_error',
    },
    termination_reason_message: 'pullImage error: dstackai/base: no route to host',
    job_provisioning_data: { backend: 'remote', region },
  };
  return {
    ...{ status: 'failed', status_message: 'failed' },
    run_spec: { run_name: 'hello', configuration: { type: 'task', image } },
    jobs: [{ job_spec: { job_num: 0, replica_num: 0 }, job_submissions: [submission] }],
  } as unknown as Run;
}

const text = (run: Run) => finishedMessage(run, (_style, part) => part);

it('a default image that the server host cannot pull is reported with the way without images', () => {
  const message = text(failedPull(null, 'local'));
  expect(message).toContain('pullImage error: dstackai/base: no route to host');
  expect(message).toContain('DSTACK_LOCAL_EXECUTOR=process');
});

it.each([
  ['an image of the configuration', failedPull('mine', 'local')],
  ['another host', failedPull(null, 'remote')],
])('a failed pull of %s is reported with the log', (_name, run) => {
  expect(text(run)).toContain('Check dstack logs -d hello');
  expect(text(run)).not.toContain('DSTACK_LOCAL_EXECUTOR');
});

/** Explanations of runs that have ended. */
import { it } from 'vitest';
import { crashed, expectLife, failed, type Lives } from './testing-life.ts';

const SITUATIONS: readonly Lives[] = [
  [
    'is done',
    failed(
      { status: 'done', terminationReason: 'done_by_runner', exitStatus: 0 },
      { status: 'done', terminationReason: 'all_jobs_done' },
    ),
    { state: 'ended', rules: ['ended', 'ended'], summary: 'is done: all of its jobs are done' },
  ],
  [
    'failed by its process',
    failed({ terminationReason: 'container_exited_with_error', exitStatus: 2 }),
    {
      ...{ state: 'ended', rules: ['ended'], fixes: ['dstack logs train'] },
      summary: 'failed. The job ended after 30 s: its process failed, with exit status 2',
    },
  ],
  [
    'failed by what it could not be given',
    failed({
      terminationReason: 'creating_container_error',
      terminationMessage: 'image x: not found',
    }),
    {
      ...{ state: 'ended', rules: ['ended'], fixes: ['dstack logs -d train'] },
      summary: 'its container could not be started: image x: not found',
    },
  ],
  [
    'failed on the server host without the default image',
    {
      ...failed({
        terminationReason: 'creating_container_error',
        terminationMessage: 'pullImage error: dstackai/base: no route to host',
        provisioningData: { backend: 'local' } as never,
      }),
      configuration: { image: null },
    },
    {
      ...{ state: 'ended', rules: ['ended'] },
      ...{ fixes: ['dstack logs -d train', 'DSTACK_LOCAL_EXECUTOR=process'] },
      summary: 'pullImage error',
    },
  ],
  [
    'was tried for as long as retry allows',
    failed(crashed(9), { terminationReason: 'retry_limit_exceeded' }),
    {
      ...{ state: 'ended', rules: ['retry_limit', 'ended'] },
      summary: 'failed: it was tried for as long as `retry` allows',
    },
  ],
  [
    'ran for longer than it may',
    failed({ status: 'terminated', terminationReason: 'max_duration_exceeded' }),
    { state: 'ended', rules: ['ended'], summary: '`max_duration`', fixes: ['max_duration: off'] },
  ],
  [
    'was interrupted with a message',
    failed({
      terminationReason: 'interrupted_by_no_capacity',
      terminationMessage: 'The process that supervised the job was killed',
    }),
    {
      ...{ state: 'ended', rules: ['ended'], fixes: ['on_events: [error, interruption]'] },
      summary:
        'The job ended after 30 s: it was interrupted: The process that supervised the job was killed',
    },
  ],
  [
    'was interrupted, and nothing more is known',
    failed({ terminationReason: 'interrupted_by_no_capacity' }),
    {
      ...{ state: 'ended', rules: ['ended'], fixes: ['on_events: [error, interruption]'] },
      summary: 'The job ended after 30 s: its machine was taken away',
    },
  ],
  [
    'lost its host',
    failed({ terminationReason: 'instance_unreachable' }),
    {
      ...{ state: 'ended', rules: ['ended'], summary: 'its host was lost' },
      fixes: ['on_events: [error, interruption]'],
    },
  ],
];

it.each(SITUATIONS)('a run is explained: %s', (_name, situation, expected) => {
  expectLife(situation, expected);
});

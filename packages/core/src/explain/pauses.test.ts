/** Explanations of runs that wait for something else than a place. */
import { it } from 'vitest';
import type { AttachmentRecord, JobRecord, JobVolume } from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { aGang, aRun } from '../placement/testing.ts';
import { aJobSpec, aReport } from '../reconcile/testing/records.ts';
import { NOW } from './testing.ts';
import {
  crashed,
  expectLife,
  HOST,
  JOB,
  type Lives,
  ON_HOST,
  PLACED,
  SERVICE,
  stopping,
} from './testing-life.ts';

const MOUNTS = aJobSpec({ volumes: [{ name: 'data', path: '/data' }] });

function mounted(status: AttachmentRecord['status'], error: string | null = null): JobVolume {
  const attachment = { id: 'a', volumeId: 'v', instanceId: HOST.id, status, statusChangedAt: NOW };
  return {
    ...{ volumeId: 'v', jobId: JOB, mountNum: 0, name: 'data', hasOthers: false },
    releasedAt: status === 'detaching' ? NOW : null,
    attachment: { ...attachment, error, attachmentData: null, version: 1 },
  };
}

const SITUATIONS: readonly Lives[] = [
  [
    'waits for its schedule',
    {
      configuration: { schedule: { cron: '0 8 * * *' } },
      run: { status: 'pending', nextTriggeredAt: NOW + 3601 * SECOND },
      jobs: [],
    },
    {
      ...{ state: 'scheduled', rules: ['schedule'], until: 3601 },
      summary: 'waits for its schedule (0 8 * * *): it starts in 1 h (2023-11-14 23:13:21 UTC)',
    },
  ],
  [
    'is held, whatever else it waits for',
    {
      configuration: { schedule: { cron: '0 8 * * *' } },
      run: { status: 'pending', hold: { by: 'ann', since: NOW - 60 * SECOND } },
      jobs: [],
    },
    {
      ...{ state: 'held', rules: ['held'] },
      summary: 'is held by ann: it stays out of the queue until it is released',
      fixes: ['dstack release train'],
    },
  ],
  [
    'waits for other runs, and names the chain',
    {
      run: { status: 'pending', dependencyState: 'open' },
      jobs: [],
      dependencies: [
        { upstreamId: 'b', name: 'tune', on: 'success', keep: false, outcome: null },
        { upstreamId: 'x', name: 'gone', on: 'end', keep: false, outcome: 'success' },
      ],
      upstreams: [
        {
          run: { id: 'b', name: 'tune', status: 'pending', hold: null, dependencyState: 'open' },
          dependencies: [
            { upstreamId: 'a', name: 'prepare', on: 'end', keep: false, outcome: null },
          ],
        },
        {
          run: { id: 'a', name: 'prepare', status: 'running', hold: null, dependencyState: null },
          dependencies: [],
        },
      ],
    },
    {
      ...{ state: 'waiting', rules: ['dependency'] },
      summary:
        'waits until run tune is done, which waits until run prepare has ended, which is running.',
      fixes: ['dstack explain run tune'],
    },
  ],
  [
    'waits although a run that it depends on has failed',
    {
      run: { status: 'pending', dependencyState: 'unmet' },
      jobs: [],
      dependencies: [
        { upstreamId: 'b', name: 'tune', on: 'success', keep: true, outcome: 'failure' },
      ],
    },
    {
      ...{ state: 'waiting', rules: ['dependency'] },
      summary: 'depends on the success of run tune, which has failed, and waits to be released.',
      fixes: ['dstack release train'],
    },
  ],
  [
    'has failed, since a run that it depends on has',
    {
      run: { status: 'failed', terminationReason: 'server_error', dependencyState: 'unmet' },
      jobs: [],
      dependencies: [
        { upstreamId: 'b', name: 'tune', on: 'success', keep: false, outcome: 'failure' },
      ],
    },
    {
      ...{ state: 'ended', rules: ['dependency'] },
      summary: 'could not start: it depends on the success of run tune, which has failed.',
    },
  ],
  [
    'has a schedule that never comes',
    {
      configuration: { schedule: { cron: '0 0 31 feb *' } },
      run: { status: 'pending' },
      jobs: [],
    },
    { state: 'scheduled', rules: ['schedule'], summary: 'it starts never' },
  ],
  [
    'waits for its volume',
    { ...PLACED, job: { ...PLACED.job, spec: MOUNTS }, mounted: [mounted('attaching')] },
    {
      ...{ state: 'starting', rules: ['attaching'], until: 300 },
      summary: 'waits until volume data is attached to lab-0',
    },
  ],
  [
    'has ended, and waits until its volume is detached',
    {
      ...stopping({ stopGraceful: false }),
      reports: [
        aReport(JOB, { phase: 'exited', exit: { status: 0, reason: null, message: null } }),
      ],
      mounted: [mounted('detaching', 'device is busy')],
    },
    {
      ...{ state: 'stopping', rules: ['detaching'] },
      summary: 'waits until volume data is detached (device is busy)',
    },
  ],
  [
    'waits between two attempts',
    {
      configuration: { retry: true },
      run: { status: 'pending', resubmissionAttempt: 1 },
      job: crashed(0),
    },
    {
      ...{ state: 'retrying', rules: ['retry_delay'], attempt: 2, until: 1 },
      summary: 'failed after 5 s: its process failed, with exit status 1; attempt 2 begins in 1 s',
      fixes: ['dstack logs train'],
    },
  ],
  [
    'crashes again and again',
    {
      configuration: { retry: true },
      run: { status: 'pending', resubmissionAttempt: 5 },
      job: { ...crashed(5), exitStatus: 137 },
    },
    {
      ...{ state: 'retrying', rules: ['crash_loop'], attempt: 7, until: 31 },
      summary:
        'fails again and again, now after 5 s: its process failed, with exit status 137 (killed',
      fixes: ['dstack logs train', 'dstack stop train'],
    },
  ],
  [
    'starts once more after it has failed',
    {
      ...PLACED,
      configuration: { retry: true },
      jobs: [
        ...aGang(aRun('train', { retry: true }), 0, { id: 'first', ...crashed(3) }).jobs,
        ...aGang(aRun('train', { retry: true }), 0, {
          ...{ ...ON_HOST, status: 'provisioning', submissionNum: 1, attempt: 4 },
        } as Partial<JobRecord>).jobs,
      ],
    },
    {
      ...{ state: 'starting', rules: ['starting'], attempt: 5 },
      summary: '(attempt 5; the last one ended after 5 s: its process failed, with exit status 1)',
    },
  ],
  [
    'is scaled to zero',
    {
      configuration: { ...SERVICE, replicas: '0..1', scaling: { metric: 'rps', target: 1 } },
      run: {
        ...{ status: 'pending', desiredReplicas: { '0': 0 } },
        serviceSpec: { url: '/proxy/services/main/train/', model: null, options: {} },
      },
      jobs: [],
    },
    {
      ...{ state: 'scaled_to_zero', rules: ['scaled_to_zero'] },
      summary:
        'is scaled to zero, and starts with the first request to /proxy/services/main/train/',
      fixes: ['/proxy/services/main/train/'],
    },
  ],
];

it.each(SITUATIONS)('a run is explained: %s', (_name, situation, expected) => {
  expectLife(situation, expected);
});

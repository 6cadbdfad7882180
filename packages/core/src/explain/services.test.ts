/** Explanations of services and their replicas. */
import { describe, it } from 'vitest';
import { aReport } from '../reconcile/testing/records.ts';
import {
  crashed,
  expectLife,
  intent,
  type Lives,
  READY,
  SERVICE,
  service,
  stopping,
  UP,
} from './testing-life.ts';

const SITUATIONS: readonly Lives[] = [
  [
    'answers requests before it is scaled down',
    {
      ...service([READY, { ...READY, ...stopping({ terminationReason: 'scaled_down' }).job }]),
      intents: [intent('job.stop', 'job-train-0-1', { grace: true, reason: '', message: null })],
      reports: [aReport('job-train-0-1', { phase: 'running' })],
    },
    {
      ...{ state: 'degraded', rules: ['draining'], until: 310 },
      summary: 'train-0-1 is scaled down, and answers the requests that it has first',
    },
  ],
  [
    'is a service of which all replicas answer',
    service([READY, READY, READY]),
    { state: 'running', rules: [], summary: 'Service train answers with 3 of 3 replicas.' },
  ],
  [
    'is a service of which one replica crashes and one fails its probe',
    service([READY, UP, crashed(4)]),
    {
      ...{ state: 'degraded', rules: ['crash_loop', 'probes'], attempt: 6 },
      summary: 'Service train answers with 1 of 3 replicas: train-0-2 fails again and again',
      fixes: ['dstack logs train'],
    },
  ],
  [
    'is a service without a ready replica',
    service([UP, UP, UP], {
      probes: { 'job-train-0-0': [1], 'job-train-0-1': [1], 'job-train-0-2': [0] },
    }),
    {
      ...{ state: 'not_ready', rules: ['probes', 'probes'] },
      summary:
        'has no ready replica: train-0-0 and train-0-1 run; probe 0 (GET /health) has succeeded 1 of 2 times; train-0-2 runs, but probe 0 (GET /health) fails; it has to succeed 2 times in a row',
    },
  ],
  [
    'is a service whose last replica has no place',
    service([READY, READY, {}]),
    {
      ...{ state: 'degraded', rules: ['busy'] },
      summary: 'answers with 2 of 3 replicas: train-0-2 waits for a place: fleet lab is full',
    },
  ],
  [
    'is a service that will get more replicas, and why',
    service([READY, READY, READY], {
      configuration: {
        ...{ ...SERVICE, replicas: '1..8' },
        autoscaling: [{ metric: 'rps', target: 10, scale_up_delay: 60 }],
      },
      requests: { 60: 3000 },
    }),
    {
      ...{ state: 'running', rules: ['scaling'], until: 61 },
      summary: 'Service train answers with 3 of 3 replicas.',
      reasons: [
        'requests per second are 50 over 1m; the target is 10 per replica, which requires 5 of 3 replicas',
      ],
    },
  ],
];

describe('a service', () => {
  it.each(SITUATIONS)('is explained: %s', (_name, situation, expected) => {
    expectLife(situation, expected);
  });
});

import type { Event } from '@dstack/contract/wire';
import { screen, waitFor } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';
import { aRun } from '../../testing/runs.ts';

it('an event about a job leads to what the job printed from then on', async () => {
  const run = aRun('train');
  const submission = run.jobs[0]?.job_submissions[0];
  const target = { type: 'job', id: submission?.id, name: 'train-0-0', project_name: 'main' };
  const elsewhere = { ...target, id: 'another', name: 'other-0-0' };
  const event = {
    ...{ id: 'e1', message: 'Job status changed', recorded_at: '2026-11-26T12:00:03.500Z' },
    ...{ actor_user: null, targets: [target, elsewhere] },
  } as unknown as Event;
  const app = await renderApp('/projects/main/runs/train/events', {
    server: { listEvents: async () => [event] },
    project: () => ({ runs: { get: async () => run }, logs: { stream: async function* () {} } }),
  });
  await app.user.click(await screen.findByRole('link', { name: 'job train-0-0' }));
  await waitFor(() => expect(app.path()).toContain('/logs?job=train-0-0&attempt=1'));
  expect(decodeURIComponent(app.path())).toContain('#t=2026-11-26T12:00:03.500Z');
});

import type { Explanation, Run } from '@dstack/contract/wire';
import { screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';
import { aRun } from '../../testing/runs.ts';

const LINES = Array.from({ length: 40 }, (_, index) => `line ${index}`);
const OUTPUT = new TextEncoder().encode(`${LINES.join('\n')}\n`);

const explanation = {
  subject: { kind: 'run', name: 'train', id: 'x', project_name: 'main', status: 'failed' },
  ...{ state: 'failed', summary: 'Run train failed: exit code 3.', since: null, until: null },
  ...{ attempt: null, position: null, ahead: [], reasons: [], parts: [], considered: [] },
  ...{ fixes: [], events: [], waiting_for: null },
} as unknown as Explanation;

function world(path: string, run: Run) {
  return renderApp(path, {
    project: () => ({
      runs: { get: async () => run },
      explain: async () => explanation,
      logs: {
        stream: async function* ({ offset, start_time }: { offset?: number; start_time?: string }) {
          const from = start_time === undefined ? (offset ?? 0) : OUTPUT.length;
          const bytes = OUTPUT.subarray(from);
          if (bytes.length > 0) yield { bytes, end: OUTPUT.length, times: [] };
        },
      },
    }),
  });
}

it('a phase of the timeline leads to the logs from its beginning on', async () => {
  const run = aRun('train');
  const app = await world('/projects/main/runs/train', run);
  const timeline = await screen.findByRole('region', { name: 'Timeline' });
  const name = within(timeline).getByRole('link', { name: 'train-0-0' });
  name.focus();
  await app.user.keyboard('{ArrowRight}{ArrowRight}{Enter}');
  await waitFor(() => expect(app.path()).toContain('/logs?job=train-0-0&attempt=1'));
  expect(decodeURIComponent(app.path())).toContain('#t=2026-11-26T12:00:05.000Z');
});

it('a link to after all output explains that, and leads to its end', async () => {
  const app = await world('/projects/main/runs/train/logs#t=2026-11-26T15:00:00Z', aRun('train'));
  await screen.findByText('Nothing was printed there');
  screen.getByText(/after all output of this job/);
  await app.user.click(screen.getByRole('button', { name: 'Show the end of the output' }));
  await screen.findByText('line 39');
  expect(app.path()).not.toContain('#');
});

it('a failure is explained together with its last twenty lines', async () => {
  const ended = { status: 'failed', status_message: 'exited (3)' } as const;
  await world('/projects/main/runs/train', aRun('train', ended));
  const card = await screen.findByRole('region', { name: 'Why it ended' });
  await within(card).findByText('line 39');
  expect(within(card).getAllByText(/^line \d/)).toHaveLength(20);
  expect(screen.queryByRole('region', { name: 'Latest output' })).toBeNull();
});

import { ApiError, ForbiddenError } from '@dstack/client';
import type { KeptBackRun, QueuedRun, RunQueue } from '@dstack/contract/wire';
import { act, screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';
import { aRun } from '../../testing/runs.ts';

const ANSWER = { request: 'POST /x', status: 400, code: null, body: null, requestId: null };
const refusal = (text: string) => new ApiError(text, { ...ANSWER, fields: [] });

const queued = (place: number, run: string, more: Partial<QueuedRun> = {}): QueuedRun => ({
  ...{
    place,
    run_id: run,
    run,
    replica: null,
    project: 'main',
    user: 'ada',
    nodes: 1,
    priority: 0,
  },
  ...{ submitted_at: '2026-11-26T12:00:00Z', since: '2026-11-26T12:00:00Z' },
  ...{ expected_start: null, is_about: true, is_reserved: false, why: 'fleet lab is full' },
  ...{ places: [], max_duration: null },
  ...more,
});
const hidden = queued(2, 'a run of another project', {
  ...{ run_id: null, project: null, user: null, nodes: null, priority: null, submitted_at: null },
  ...{ since: null, why: null },
});
const kept = (run: string, more: Partial<KeptBackRun> = {}): KeptBackRun => ({
  ...{ run_id: run, run, user: 'ada', priority: 0, submitted_at: '2026-11-26T12:00:00Z' },
  ...{ hold: null, waits_for: [], is_unmet: false, ...more },
});
const queueOf = (runs: readonly QueuedRun[], keptBack: readonly KeptBackRun[] = []): RunQueue => ({
  ...{ runs: [...runs], total: runs.length },
  ...{ kept_back: [...keptBack], kept_back_total: keptBack.length },
});

const later = () => new Date(Date.now() + 630_500).toISOString();

async function world(queue: () => RunQueue, path = '/queue', failure: Error | null = null) {
  const calls: unknown[] = [];
  const record =
    (name: string) =>
    async (...args: unknown[]) => {
      calls.push([name, ...args]);
      if (failure !== null) throw failure;
    };
  const app = await renderApp(path, {
    projects: { list: async () => [{ project_name: 'main' }] as never },
    project: (name) => ({
      queue: async () => queue(),
      runs: {
        hold: record(`hold ${name}`),
        release: record(`release ${name}`),
        setPriority: record(`priority ${name}`),
        stop: record(`stop ${name}`),
      },
    }),
  });
  return { app, calls, user: app.user };
}

const row = async (name: string) =>
  (await screen.findByRole('link', { name })).closest('tr') as HTMLElement;

it('has the runs in their order, with expected starts, reasons and reservations', async () => {
  const first = queued(1, 'train', { expected_start: later(), is_reserved: true, is_about: false });
  await world(() => queueOf([first, hidden]));
  const train = await row('train');
  within(train).getByText(/^in \d+ min$/);
  within(train).getByText('reserved');
  within(train).getByText('fleet lab is full');
  const other = screen.getByText('A run of another project').closest('tr') as HTMLElement;
  within(other).getByText('not known');
  expect(within(other).queryByRole('link')).toBeNull();
  expect(within(other).queryByRole('button', { name: /^(Hold|Stop)/ })).toBeNull();
});

it('follows changes of runs', async () => {
  let queue = queueOf([queued(1, 'train')]);
  const { app } = await world(() => queue);
  await row('train');
  queue = queueOf([queued(1, 'urgent'), queued(2, 'train')]);
  const data = aRun('urgent', { status: 'submitted' });
  act(() => app.live.onChange({ type: 'run', id: data.id, project: 'main', version: 2, data }));
  await row('urgent');
});

it('holds a run by a key, and releases it where it is then', async () => {
  const hold = { by: 'ada', since: '2026-11-26T12:00:00Z' };
  const { user, calls } = await world(() =>
    queueOf(
      [queued(1, 'train')],
      [kept('evaluate', { hold }), kept('report', { waits_for: ['a'] })],
    ),
  );
  (await screen.findByRole('link', { name: 'train' })).focus();
  await user.keyboard('h');
  await waitFor(() => expect(calls).toEqual([['hold main', ['train']]]));
  await user.click(screen.getByRole('radio', { name: 'Kept back 2' }));
  within(await row('evaluate')).getByText('Held by ada');
  within(await row('report')).getByText('Waits for a');
  await user.click(screen.getByRole('button', { name: 'Release evaluate' }));
  await waitFor(() => expect(calls).toHaveLength(2));
  expect(calls[1]).toEqual(['release main', ['evaluate']]);
  const release = screen.getByRole('button', { name: 'Release report' });
  expect(release.getAttribute('aria-disabled')).toBe('true');
});

it('changes the priority in place: Enter saves, Escape keeps it, keys of the row do nothing', async () => {
  const { user, calls } = await world(() => queueOf([queued(1, 'train', { priority: 5 })]));
  const value = await screen.findByRole('button', { name: 'Priority of train: 5. Change' });
  await user.click(value);
  await user.keyboard('9sh{Escape}');
  const again = await screen.findByRole('button', { name: 'Priority of train: 5. Change' });
  await waitFor(() => expect(document.activeElement).toBe(again));
  await user.click(again);
  const field = screen.getByRole('textbox', { name: 'Priority of train, 0 to 100' });
  await user.keyboard('101');
  expect(field.getAttribute('aria-invalid')).toBe('true');
  await user.keyboard('{Enter}{Backspace}{Enter}');
  await waitFor(() => expect(calls).toEqual([['priority main', 'train', 10]]));
});

it('keeps what was typed if the server refuses it', async () => {
  const failure = refusal('Run train is done, so its priority cannot be changed');
  const { user } = await world(() => queueOf([queued(1, 'train')]), '/queue', failure);
  await user.click(await screen.findByRole('button', { name: 'Priority of train: 0. Change' }));
  await user.keyboard('7{Enter}');
  await screen.findAllByText('Run train is done, so its priority cannot be changed');
  const field = screen.getByRole('textbox', { name: 'Priority of train, 0 to 100' });
  expect((field as HTMLInputElement).value).toBe('7');
});

it('stops a run with the way back', async () => {
  const { user, calls } = await world(() => queueOf([queued(1, 'train')]));
  await user.click(await screen.findByRole('button', { name: 'Stop train' }));
  await screen.findByText('No run waits');
  await user.click(await screen.findByRole('button', { name: /^Undo/ }));
  await row('train');
  expect(calls).toEqual([]);
});

it('holds several runs at once, and each only once', async () => {
  const replicas = [queued(1, 'api', { replica: 0 }), queued(2, 'api', { replica: 1 })];
  const { user, calls } = await world(() => queueOf([...replicas, queued(3, 'train')]));
  await row('train');
  await user.click(screen.getByRole('checkbox', { name: 'Select all rows that are loaded' }));
  await user.click(screen.getByRole('button', { name: 'Hold' }));
  await waitFor(() => expect(calls).toEqual([['hold main', ['api', 'train']]]));
});

it('names what waits for which project, and how many runs are not shown', async () => {
  await world(() => ({ ...queueOf([queued(1, 'train')]), total: 1201 }));
  await screen.findByText(/1,200 more are not shown/);
});

it('teaches the next step where nothing waits', async () => {
  await world(() => queueOf([]));
  await screen.findByText('No run waits');
  screen.getByText('dstack queue');
});

it('explains a refusal', async () => {
  await world(() => {
    throw new ForbiddenError('you are not a member of project main', { ...ANSWER, fields: [] });
  });
  await screen.findByText(/you are not a member of project main/);
});

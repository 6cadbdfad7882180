import { ConnectionError } from '@dstack/client';
import { act, fireEvent, screen, waitFor, within } from '@testing-library/react';
import { afterEach, expect, it, vi } from 'vitest';
import { UNDO_MS } from '../../domain/runs/delayed-stops.ts';
import { renderApp } from '../../testing/render-app.tsx';
import { aRun } from '../../testing/runs.ts';

const stopped: { project: string; names: readonly string[]; abort: boolean }[] = [];

function world(path: string, runs = [aRun('train'), aRun('chat', { user: 'grace' })]) {
  stopped.length = 0;
  return renderApp(path, {
    listRuns: async () => runs,
    project: (project) => ({
      runs: {
        get: async ({ id }: { id: string }) =>
          aRun(id, { status: id === 'ends' ? 'done' : 'running' }),
        stop: async (names: readonly string[], abort: boolean) => {
          stopped.push({ project, names, abort });
        },
      },
    }),
  });
}
const names = () =>
  within(screen.getByRole('table', { name: 'Runs' }))
    .getAllByRole('link')
    .map(({ textContent }) => textContent);

/** The time in which a stop can be undone does not pass. */
function holdUndoTime(): void {
  const passes = globalThis.setTimeout;
  const held = (run: () => void, ms?: number) => (ms === UNDO_MS ? 0 : passes(run, ms));
  vi.stubGlobal('setTimeout', held);
}
afterEach(() => vi.unstubAllGlobals());

it('filters while the reader types, and keeps the filter in the address', async () => {
  const { user, path } = await world('/runs');
  await screen.findByRole('link', { name: 'train' });
  await user.keyboard('/');
  await user.keyboard('grace');
  await waitFor(() => expect(names()).toEqual(['chat']));
  expect(path()).toBe('/runs?q=grace');
});

it('leads from a deleted run to itself, not to a newer run of its name', async () => {
  const old = aRun('train', { id: '1959721e-cfa7-4d96-ace3-03046dd3efda', deleted: true });
  const { user, path } = await world('/runs', [aRun('train'), old]);
  const [, older] = await screen.findAllByRole('link', { name: 'train' });
  expect(screen.getByText('deleted').closest('tr')).toBe(older?.closest('tr'));
  await user.click(older as HTMLElement);
  await waitFor(() => expect(path()).toBe(`/projects/main/runs/${old.id}`));
});

it('offers to clear filters that nothing matches', async () => {
  const { user } = await world('/runs?q=nothing&status=failed');
  await user.click(await screen.findByRole('button', { name: 'Clear the filters' }));
  expect(await screen.findByRole('link', { name: 'train' })).toBeDefined();
});

it('teaches how to submit the first run', async () => {
  await world('/runs', []);
  await screen.findByText('No runs yet');
  screen.getByText('dstack apply -f .dstack.yml');
});

it('stops what is selected after naming it, one request for each project, unless it is undone', async () => {
  holdUndoTime();
  const runs = [
    aRun('train'),
    aRun('chat', { project_name: 'team' }),
    aRun('old', { status: 'done', status_message: 'done' }),
  ];
  const { user } = await world('/runs', runs);
  await user.click(await screen.findByRole('checkbox', { name: /Select all/ }));
  screen.getByText('3 runs selected');
  await user.click(screen.getByRole('button', { name: 'Stop' }));
  const dialog = await screen.findByRole('dialog', { name: 'Stop 2 runs?' });
  within(dialog).getByText('team/chat');
  within(dialog).getByText('1 selected run is left as it is.');
  expect(stopped).toEqual([]);
  await user.click(within(dialog).getByRole('button', { name: 'Stop' }));
  await screen.findByText('2 runs are stopped');
  await waitFor(() => expect(screen.queryByRole('dialog', { name: /^Stop/ })).toBeNull());
  await user.keyboard('u');
  await screen.findByText('2 runs go on');
  await user.click(screen.getByRole('checkbox', { name: /Select all/ }));
  await user.click(screen.getByRole('button', { name: 'Stop' }));
  const again = await screen.findByRole('dialog', { name: 'Stop 2 runs?' });
  await user.click(within(again).getByRole('button', { name: 'Stop' }));
  await screen.findByText('2 runs are stopped');
  expect(stopped).toEqual([]);
  act(() => void window.dispatchEvent(new Event('pagehide')));
  await waitFor(() => expect(stopped).toHaveLength(2));
  expect(stopped).toEqual([
    { project: 'main', names: ['train'], abort: false },
    { project: 'team', names: ['chat'], abort: false },
  ]);
});

it('exports all pages of what matches the filters, and keeps a chosen density', async () => {
  const many = Array.from({ length: 130 }, (_, index) =>
    aRun(`run-${index}`, {
      ...{ id: `id-${index}`, user: index < 120 ? 'ada' : '=cmd()' },
      submitted_at: `2026-11-26T10:00:00.${String(999 - index)}Z`,
    }),
  );
  const saved: Blob[] = [];
  vi.stubGlobal('URL', Object.assign(URL, { createObjectURL: (one: Blob) => saved.push(one) }));
  URL.revokeObjectURL = () => {};
  HTMLAnchorElement.prototype.click = () => {};
  const { user } = await renderApp('/runs?q=cmd', {
    listRuns: async ({ prev_run_id }: { prev_run_id?: string }) => {
      const from = many.findIndex(({ id }) => id === prev_run_id) + 1;
      return many.slice(from, from + 100);
    },
  });
  await screen.findByRole('link', { name: 'run-120' });
  await user.click(screen.getByRole('button', { name: 'Export' }));
  await user.click(await screen.findByRole('menuitem', { name: 'Export as CSV' }));
  await waitFor(() => expect(saved).toHaveLength(1));
  const [head, first, ...others] = (await saved[0]!.text()).split('\r\n');
  expect(head).toContain('Run,Status,');
  expect(head).not.toContain(',Use,');
  expect(first).toContain('run-120,Running,');
  expect(first).toContain("'=cmd()");
  expect(others).toHaveLength(10);
  await user.click(screen.getByRole('button', { name: 'Columns' }));
  await user.click(await screen.findByRole('menuitemradio', { name: 'Compact' }));
  expect(localStorage.getItem('dstack-density')).toBe('"compact"');
});

it('stops a run by the key of its row a moment later, which can be undone', async () => {
  holdUndoTime();
  const { user } = await world('/runs');
  (await screen.findByRole('link', { name: 'train' })).focus();
  await user.keyboard('s');
  await screen.findByText('train is stopped');
  screen.getByText('Stopping…');
  await user.keyboard('u');
  await screen.findByText('train goes on');
  expect(screen.queryByText('Stopping…')).toBeNull();
  await user.click(screen.getByRole('button', { name: 'Stop chat' }));
  await user.click(await screen.findByRole('button', { name: /^Undo/ }));
  await screen.findByText('chat goes on');
  expect(stopped).toEqual([]);
});

it('does not stop a newer run with the name of one that ended while its stop could be undone', async () => {
  const passes = globalThis.setTimeout;
  const due: (() => void)[] = [];
  vi.stubGlobal('setTimeout', (run: () => void, ms?: number) =>
    ms === UNDO_MS ? due.push(run) : passes(run, ms),
  );
  const { user } = await world('/runs', [
    aRun('train', { id: 'ends' }),
    aRun('chat', { id: 'goes on' }),
  ]);
  await user.click(await screen.findByRole('button', { name: 'Stop train' }));
  await user.click(screen.getByRole('button', { name: 'Stop chat' }));
  act(() => due.forEach((run) => void run()));
  await waitFor(() =>
    expect(stopped).toEqual([{ project: 'main', names: ['chat'], abort: false }]),
  );
  expect(screen.queryByText(/could not be stopped/)).toBeNull();
});

it('sends a stop at once when the tab is closed before it', async () => {
  holdUndoTime();
  const { user } = await world('/runs');
  await user.click(await screen.findByRole('button', { name: 'Stop train' }));
  act(() => void window.dispatchEvent(new Event('pagehide')));
  await waitFor(() =>
    expect(stopped).toEqual([{ project: 'main', names: ['train'], abort: false }]),
  );
});

it('has the actions of a row in a menu, which its key opens', async () => {
  const { user, path } = await world('/runs');
  (await screen.findByRole('link', { name: 'train' })).focus();
  await user.keyboard('.');
  await user.click(await screen.findByRole('menuitem', { name: 'Copy the name' }));
  expect(await navigator.clipboard.readText()).toBe('train');
  await user.keyboard('.');
  await user.click(await screen.findByRole('menuitem', { name: /^Logs/ }));
  await waitFor(() => expect(path()).toBe('/projects/main/runs/train/logs'));
});

it('groups the runs by what the reader chooses, with their numbers', async () => {
  const runs = [aRun('train'), aRun('chat', { user: 'grace' }), aRun('eval')];
  const { user, path } = await world('/runs', runs);
  await user.click(await screen.findByRole('button', { name: 'Columns' }));
  await user.click(await screen.findByRole('menuitemradio', { name: 'User' }));
  await waitFor(() => expect(path()).toBe('/runs?group=user'));
  await user.keyboard('{Escape}');
  await screen.findByRole('columnheader', { name: 'ada 2' });
  await screen.findByRole('columnheader', { name: 'grace 1' });
  expect(names()).toEqual(['train', 'eval', 'chat']);
  screen.getByRole('link', { name: 'eval' }).focus();
  await user.keyboard('j');
  await waitFor(() => expect(document.activeElement?.textContent).toBe('chat'));
});

it('has its columns in the order that the reader gives them, by keys or by dragging', async () => {
  const { user } = await world('/runs');
  await screen.findByRole('link', { name: 'train' });
  const heads = () => screen.getAllByRole('columnheader').map(({ textContent }) => textContent);
  const before = heads();
  expect(before.slice(1, 6)).toEqual(['Run', 'Status', 'Project', 'User', 'GPUs']);
  await user.click(screen.getByRole('button', { name: 'Columns' }));
  const item = (name: string) => screen.findByRole('menuitemcheckbox', { name });
  const project = await item('Project');
  act(() => project.focus());
  await user.keyboard('{Alt>}{ArrowDown}{/Alt}');
  await waitFor(() => expect(heads().slice(3, 5)).toEqual(['User', 'Project']));
  await waitFor(() => expect(document.activeElement?.textContent).toContain('Project'));
  const dataTransfer = { setData: () => {}, effectAllowed: '' };
  fireEvent.dragStart(await item('GPUs'), { dataTransfer });
  fireEvent.dragOver(await item('User'), { dataTransfer });
  fireEvent.drop(await item('User'), { dataTransfer });
  await waitFor(() => expect(heads().slice(3, 6)).toEqual(['GPUs', 'User', 'Project']));
  expect(localStorage.getItem('dstack-columns-runs')).toContain('"gpus","user","project"');
  await user.click(screen.getByRole('menuitem', { name: 'Show the default columns' }));
  await waitFor(() => expect(heads()).toEqual(before));
});

it('shows how busy running jobs were, of a run with several jobs the first one that runs', async () => {
  const ends = aRun('train');
  const [job] = ends.jobs;
  const [submission] = job!.job_submissions;
  const jobs = ['failed', 'running'].map((status, num) => ({
    ...job!,
    job_spec: { ...job!.job_spec, job_name: `train-${num}-0`, job_num: num },
    job_submissions: [{ ...submission!, id: `s${num}`, status: status as 'running' }],
  }));
  const asked: unknown[] = [];
  const timestamps = [10, 20].map((ago) => new Date(Date.now() - ago * 1000).toISOString());
  await renderApp('/runs', {
    listRuns: async () => [aRun('train', { jobs }), aRun('old', { jobs: [] })],
    project: () => ({
      metrics: {
        job: async (name: string, { job_num }: { job_num: number }) => {
          asked.push([name, job_num]);
          const values = [50, 25];
          return { metrics: [{ name: 'cpu_usage_percent', timestamps, values }] };
        },
      },
    }),
  });
  await screen.findByRole('img', { name: /^CPU of train-1-0 in the last 15 minutes: latest 50 %/ });
  expect(asked).toEqual([['train', 1]]);
});

it('saves filters under a name, and applies them again', async () => {
  const { user, path } = await world('/runs?user=grace');
  await user.click(await screen.findByRole('button', { name: 'Views' }));
  await user.click(
    await screen.findByRole('menuitem', { name: 'Save filters and columns as a view' }),
  );
  await user.type(await screen.findByRole('textbox', { name: 'Name' }), 'hers');
  await user.click(screen.getByRole('button', { name: 'Save' }));
  await user.click(await screen.findByRole('button', { name: 'hers' }));
  await user.click(await screen.findByRole('menuitem', { name: 'hers' }));
  await waitFor(() => expect(path()).toBe('/runs'));
  await user.click(await screen.findByRole('button', { name: 'Views' }));
  await user.click(await screen.findByRole('menuitem', { name: 'hers' }));
  await waitFor(() => expect(path()).toBe('/runs?user=grace'));
});

it('moves between rows by keyboard', async () => {
  const { user } = await world('/runs');
  const first = await screen.findByRole('link', { name: 'train' });
  first.focus();
  await user.keyboard('j');
  await waitFor(() => expect(document.activeElement?.textContent).toBe('chat'));
  await user.keyboard('k');
  await waitFor(() => expect(document.activeElement?.textContent).toBe('train'));
});

it('shows a new run and a changed status without a reload', async () => {
  const runs = [aRun('train')];
  const { live } = await world('/runs', runs);
  await screen.findByRole('link', { name: 'train' });
  runs.unshift(aRun('fresh', { status: 'submitted', status_message: 'submitted' }));
  runs[1] = aRun('train', { status: 'terminating', status_message: 'terminating' });
  act(() => live.onGap());
  await screen.findByRole('link', { name: 'fresh' });
  await screen.findByText('Terminating');
});

it('stays as it is while a refresh fails', async () => {
  let fails = false;
  const { live } = await renderApp('/runs', {
    listRuns: async () => {
      if (fails) throw new ConnectionError('http://x', 'POST /api/runs/list', null);
      return [aRun('train')];
    },
  });
  await screen.findByRole('link', { name: 'train' });
  fails = true;
  act(() => live.onGap());
  await new Promise((resolve) => setImmediate(resolve));
  screen.getByRole('link', { name: 'train' });
});

it('sorts all runs, not only those that are loaded, and keeps the order in the address', async () => {
  const runs = Array.from({ length: 150 }, (_, index) =>
    aRun(`r${String(index).padStart(3, '0')}`, {
      cost: index === 149 ? 900 : 1,
      submitted_at: '2026-11-26T12:00:00Z',
    }),
  );
  const { user, path } = await renderApp('/runs', {
    listRuns: async ({ prev_run_id: after }: { prev_run_id?: string }) =>
      after === undefined ? runs.slice(0, 100) : runs.slice(100),
  });
  const table = await screen.findByRole('table', { name: 'Runs' });
  const header = () => within(table).getByRole('columnheader', { name: 'Run' });
  await user.click(within(header()).getByRole('button'));
  expect(path()).toBe('/runs?sort=name');
  await user.click(within(header()).getByRole('button'));
  await waitFor(() => expect(names()[0]).toBe('r149'));
  expect(path()).toBe('/runs?sort=-name');
  expect(header().getAttribute('aria-sort')).toBe('descending');
});

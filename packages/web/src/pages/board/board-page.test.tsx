import type { BoardJob, Fleet, QueuedRun, RunPlan } from '@dstack/contract/wire';
import { act, screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { aFleet, anInstance } from '../../testing/fleets.ts';
import { renderApp } from '../../testing/render-app.tsx';

const BUSY = { status: 'busy', total_blocks: 8, busy_blocks: 2 } as const;
const [first, second] = [anInstance('lab', 0, BUSY), anInstance('lab', 1, { total_blocks: 8 })];
const FLEET = aFleet('lab', [second, first]);
const at = (minutes: number) => new Date(Date.now() + minutes * 60_000 + 500).toISOString();

const job = (more: Partial<BoardJob> = {}): BoardJob => ({
  ...{ instance_id: first.id, run_id: 'r1', run_name: 'train', project_name: 'main' },
  ...{ user_name: 'ada', job_name: 'train-0-0', blocks: 2, since: at(-10), until: at(31) },
  ...{ leaves_at: null, ...more },
});
const queued = (more: Partial<QueuedRun> = {}): QueuedRun => ({
  ...{ place: 1, run_id: 'r2', run: 'next', replica: null, project: 'main', user: 'ben', nodes: 1 },
  ...{ priority: 0, submitted_at: at(-5), since: at(-5), expected_start: at(31), is_about: false },
  ...{ is_reserved: true, places: [{ instance_id: first.id, blocks: 8 }], max_duration: 600 },
  ...{ why: null, ...more },
});

interface World {
  readonly path?: string;
  readonly fleets?: () => readonly Fleet[];
  readonly jobs?: () => readonly BoardJob[];
  readonly runs?: readonly QueuedRun[];
  readonly plan?: Partial<RunPlan>;
  readonly role?: string;
}

async function world(given: World = {}) {
  const { path = '/board', fleets = () => [FLEET], jobs = () => [job()], runs = [] } = given;
  const boards: (readonly string[])[] = [];
  const calls: unknown[] = [];
  const user = { id: 'u1', global_role: given.role === undefined ? 'admin' : 'user' };
  const members = [{ user, project_role: given.role ?? 'user' }];
  const plan = {
    ...{ project_name: 'main', job_plans: [], current_resource: null, action: 'create', notes: [] },
    ...{ run_spec: { run_name: 'mine' }, outlook: 'starts', expected_start: null, ...given.plan },
  };
  const app = await renderApp(
    path,
    {
      url: 'http://server',
      projects: { list: async () => [{ project_name: 'main', members }] as never },
      server: { listFleets: async () => fleets() as Fleet[], listEvents: async () => [] },
      project: () => ({
        queue: async () => ({ runs, total: runs.length, kept_back: [], kept_back_total: 0 }),
        capacity: {
          board: async (ids: readonly string[]) => {
            boards.push(ids);
            const wanted = jobs().filter(({ instance_id }) => ids.includes(instance_id));
            return { jobs: wanted, incomplete: [] };
          },
        },
        instances: {
          cordon: async (...args: unknown[]) => void calls.push(['cordon', ...args]),
          uncordon: async (...args: unknown[]) => void calls.push(['uncordon', ...args]),
        },
        runs: { getPlan: async () => plan },
      }),
    } as never,
    {
      kind: 'signed-in',
      user: {
        ...{ ...user, username: 'ada', email: null, active: true, created_at: null },
        ...{ permissions: { can_create_projects: true }, ssh_public_key: null },
      } as never,
    },
  );
  return { app, user: app.user, boards, calls };
}

const jobsOf = (name: string) => screen.findByRole('list', { name: `Jobs of ${name}` });

it('shows what runs on each instance, and what has reserved it, in words too', async () => {
  await world({ runs: [queued()] });
  const list = await jobsOf('lab-0');
  const running = await within(list).findByRole('link', {
    name: /^train: 2 of 8 blocks, ada in main/,
  });
  expect(running.textContent).toMatch(/ends in \d+ min at the latest/);
  expect(running.getAttribute('href')).toBe('/projects/main/runs/train');
  const next = within(list).getByRole('link', { name: /^next: 8 of 8 blocks, ben in main/ });
  expect(next.textContent).toMatch(/reserved, starts in \d+ min/);
  const names = screen
    .getAllByRole('link', { name: /^lab-/ })
    .map(({ textContent }) => textContent);
  expect(names).toEqual(['lab-0', 'lab-1']);
});

it.each([
  ['/board?project=main', 'The instances that project main can use'],
  [
    '/board',
    'The instances that project main can use. Choose a project to see those of another one',
  ],
])('at %s names the project whose capacity it shows', async (path, text) => {
  await world({ path });
  await jobsOf('lab-0');
  screen.getByText((_, element) => element?.children.length === 1 && element.textContent === text);
});

it('shows windows of maintenance on the instances of their fleets', async () => {
  const maintenance = {
    ...{ state: 'planned', leaving_at: at(30), starts_at: at(90), ends_at: at(150) },
  };
  const fleets = () => [aFleet('lab', [second], { maintenance })];
  await world({ fleets });
  const bar = await within(await jobsOf('lab-1')).findByText(/^Maintenance: 8 of 8 blocks/);
  expect(bar.textContent).toMatch(/from in 1 h.* until in 2 h/);
  expect(screen.getByRole('list', { name: 'Colours' }).textContent).toContain('Maintenance');
});

it('asks for the jobs of all rows that are drawn in one request, and not for idle ones', async () => {
  const instances = Array.from({ length: 40 }, (_, num) => anInstance('lab', num, BUSY));
  const { boards } = await world({
    fleets: () => [aFleet('lab', [...instances, anInstance('lab', 40)])],
  });
  await within(await jobsOf('lab-0')).findByRole('link', { name: /^train/ });
  expect(boards).toHaveLength(1);
  expect(boards[0]?.length).toBeLessThan(40);
});

it('names no run that the reader may not see', async () => {
  const hidden = { run_id: null, run_name: 'a run of another project', project_name: null };
  await world({ jobs: () => [job({ ...hidden, user_name: null, job_name: null })] });
  const list = await jobsOf('lab-0');
  await within(list).findByText(/^A run of another project: 2 of 8 blocks, since/);
  expect(within(list).queryByRole('link')).toBeNull();
});

it('follows what happens', async () => {
  let now = [job()];
  const { app } = await world({ jobs: () => now });
  const list = await jobsOf('lab-0');
  await within(list).findByRole('link', { name: /^train/ });
  now = [job({ leaves_at: at(1) })];
  act(() => app.live.onChange({ type: 'job', id: 'j1', project: 'main', version: 2 } as never));
  await within(list).findByRole('link', { name: /^train.*has to leave in \d+ / });
  const data = { ...second, scheduling: { state: 'cordoned', reason: null, by: 'ada' } } as never;
  act(() =>
    app.live.onChange({ type: 'instance', id: second.id, project: 'main', version: 2, data }),
  );
  await screen.findByText('Cordoned');
});

it('is moved through by arrow keys, and Enter opens', async () => {
  const { user, app } = await world({ runs: [queued()] });
  await within(await jobsOf('lab-0')).findByRole('link', { name: /^train/ });
  screen.getByRole('link', { name: 'lab-0' }).focus();
  await user.keyboard('{ArrowRight}');
  await waitFor(() => expect(document.activeElement?.textContent).toContain('train: 2 of 8'));
  await user.keyboard('{ArrowRight}');
  await waitFor(() => expect(document.activeElement?.textContent).toContain('next: 8 of 8'));
  await user.keyboard('{ArrowDown}');
  await waitFor(() => expect(document.activeElement?.textContent).toBe('lab-1'));
  await user.keyboard('{Home}{ArrowRight}');
  await waitFor(() => expect(document.activeElement?.textContent).toContain('train: 2 of 8'));
  await user.keyboard('{Enter}');
  await waitFor(() => expect(app.path()).toBe('/projects/main/runs/train'));
});

it('cordons an instance from its row, by the keyboard alone', async () => {
  const { user, calls } = await world();
  (await screen.findByRole('link', { name: 'lab-1' })).focus();
  await user.keyboard('.');
  await user.click(await screen.findByRole('menuitem', { name: 'Cordon' }));
  const dialog = await screen.findByRole('dialog', { name: 'Cordon lab-1' });
  await user.click(within(dialog).getByRole('button', { name: 'Cordon' }));
  await waitFor(() => expect(calls).toMatchObject([['cordon', ['lab-1'], {}]]));
});

it('lets a member look, and only managers keep jobs off', async () => {
  const { user } = await world({ role: 'user' });
  await user.click(await screen.findByRole('button', { name: 'Actions of lab-1' }));
  const drain = await screen.findByRole('menuitem', { name: 'Drain' });
  expect(drain.getAttribute('aria-disabled')).toBe('true');
});

it('has the same facts as a table', async () => {
  const { user, app, calls } = await world({ runs: [queued()] });
  await user.click(await screen.findByRole('radio', { name: 'Table' }));
  const table = await screen.findByRole('table', { name: 'Capacity' });
  const train = (await within(table).findByRole('link', { name: 'train' })).closest('tr');
  const cells = within(train as HTMLElement)
    .getAllByRole('cell')
    .map((cell) => cell.textContent);
  expect(cells.slice(0, 4)).toEqual(['Runs', 'train', 'ada in main', '2 of 8']);
  expect(cells.slice(4).join()).toMatch(/^\d+ min ago,in \d+ min$/);
  const next = within(table).getByRole('link', { name: 'next' }).closest('tr') as HTMLElement;
  within(next).getByText('Reserved');
  const part = next.closest('tbody') as HTMLElement;
  within(part).getByRole('link', { name: 'lab-0' });
  const other = within(table).getByRole('link', { name: 'lab-1' }).closest('tr') as HTMLElement;
  within(other).getByText('Free');
  expect(app.path()).toBe('/board?view=table');
  await user.click(within(table).getByRole('button', { name: 'Actions of lab-1' }));
  await user.click(await screen.findByRole('menuitem', { name: 'Cordon' }));
  await screen.findByRole('dialog', { name: 'Cordon lab-1' });
  expect(calls).toEqual([]);
});

it('looks ahead as far as the reader chooses', async () => {
  const { user, app } = await world();
  await user.click(await screen.findByRole('radio', { name: '24 h' }));
  await screen.findByText('24 h ahead');
  expect(app.path()).toMatch(/^\/board\?hours=/);
});

it('teaches the next step where there are no instances', async () => {
  await world({ fleets: () => [] });
  await screen.findByText('No instances now');
  screen.getByRole('link', { name: 'New fleet' });
});

it('shows why it cannot be loaded', async () => {
  await world({
    fleets: () => {
      throw new Error('no answer');
    },
  });
  await screen.findByRole('button', { name: 'Try again' });
});

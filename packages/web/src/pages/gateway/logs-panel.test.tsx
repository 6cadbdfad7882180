import { ForbiddenError, ServerError } from '@dstack/client';
import type { Gateway, GatewayLogEntry, GatewayReplicaLog } from '@dstack/contract/wire';
import { act, screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';

const replicas = [0, 1].map((replica_num) => ({ replica_num, status: 'running', hostname: null }));

const GATEWAY = {
  ...{ id: 'g', name: 'edge', project_name: 'main', created_at: '2026-11-23T15:00:00Z' },
  ...{ status: 'running', status_message: null, hostname: null, default: true },
  ...{ wildcard_domain: '*.apps.test', replicas, certificates: [] },
  configuration: { type: 'gateway', name: 'edge', backend: 'remote', region: 'pool' },
} as unknown as Gateway;

const line = (text: string, other: Partial<GatewayLogEntry> = {}): GatewayLogEntry => ({
  ...{ time: '2026-11-28T12:00:00.000Z', source: 'gateway', level: 'info', text },
  ...other,
});

const part = (replica_num: number, ...lines: GatewayLogEntry[]): GatewayReplicaLog => ({
  ...{ replica_num, answered: true, next: `${lines.length},0`, skipped: false, lines },
});

interface World {
  readonly answers: readonly (readonly GatewayReplicaLog[] | Error)[];
  readonly role?: 'admin' | 'manager';
  readonly search?: string;
}

/** The last answer repeats. */
async function page({ answers, role = 'admin', search = '' }: World) {
  const asked: unknown[] = [];
  const user = {
    id: 'u2',
    username: 'ben',
    global_role: 'user',
    email: null,
    active: true,
  } as const;
  const rights = { permissions: { can_create_projects: false } };
  const rest = { created_at: null, ssh_public_key: null };
  const member = { user: { ...user, ...rights, ...rest }, project_role: role, permissions: {} };
  const app = await renderApp(
    `/projects/main/gateways/edge${search}`,
    {
      server: { listEvents: async () => [] },
      projects: {
        list: async () => [],
        get: async () => ({ project_name: 'main', members: [member] }) as never,
      },
      project: () => ({
        gateways: {
          get: async () => GATEWAY,
          logs: async (_name: string, query: unknown) => {
            const answer = answers[Math.min(asked.length, answers.length - 1)] ?? [];
            asked.push(query);
            if (answer instanceof Error) throw answer;
            return { replicas: answer };
          },
        },
        explain: async () => {
          throw new Error('not asked here');
        },
      }),
    },
    { kind: 'signed-in', user: { ...user, ...rights, ...rest } },
  );
  return { ...app, asked };
}

/** Follows at once instead of after a while, as when the page was hidden. */
const comeBack = () => act(async () => void window.dispatchEvent(new Event('visibilitychange')));

const linesOf = async () => await screen.findByRole('region', { name: 'Lines of the logs' });

it('shows what the replicas report, and goes on after the last answer', async () => {
  const { asked } = await page({
    answers: [
      [part(0, line('started')), part(1, line('slow', { source: 'nginx', level: 'warn' }))],
      [part(0, line('reloaded')), part(1)],
    ],
  });
  const lines = await linesOf();
  expect(lines.textContent).toMatch(/replica 0 gateway info started.*replica 1 nginx warn slow/);
  await comeBack();
  await within(lines).findByText('reloaded');
  within(lines).getByText('started');
  expect(asked).toEqual([
    { replica: null, lines: 100, after: null },
    { replica: null, lines: 500, after: { 0: '1,0', 1: '1,0' } },
  ]);
});

it('is not shown, and not asked for, without the role admin', async () => {
  const { asked } = await page({ answers: [[part(0, line('started'))]], role: 'manager' });
  await screen.findByRole('region', { name: 'Events' });
  await act(async () => {});
  expect(screen.queryByRole('region', { name: 'Logs' })).toBeNull();
  expect(asked).toEqual([]);
});

it('shows lines of one log, or of one replica, as the address states', async () => {
  const { user, asked, path } = await page({
    answers: [[part(0, line('started')), part(1, line('slow', { source: 'nginx' }))]],
  });
  await screen.findByText('slow');
  await user.click(screen.getByRole('combobox', { name: 'Log' }));
  await user.click(await screen.findByRole('option', { name: 'Program' }));
  await waitFor(() => expect(screen.queryByText('slow')).toBeNull());
  screen.getByText('started');
  await user.click(screen.getByRole('combobox', { name: 'Replica' }));
  await user.click(await screen.findByRole('option', { name: 'Replica 1' }));
  await waitFor(() => expect(asked.at(-1)).toEqual({ replica: 1, lines: 100, after: null }));
  expect(path()).toMatch(/\?replica=1&log=gateway$|\?log=gateway&replica=1$/);
});

it('does not follow if the reader does not want it', async () => {
  const { user, asked, path } = await page({ answers: [[part(0, line('started'))]] });
  await screen.findByText('started');
  const follow = screen.getByRole('button', { name: 'Follow', pressed: true });
  await user.click(follow);
  await screen.findByRole('button', { name: 'Follow', pressed: false });
  expect(path()).toContain('follow=off');
  await comeBack();
  expect(asked).toHaveLength(1);
});

it('shows characters that control terminals by their code', async () => {
  await page({
    answers: [[part(0, line('a\u001b[31mb\u202ec\r\u0007', { level: 'in\u009bfo' }))]],
  });
  const lines = await linesOf();
  expect(lines.textContent).toContain('in⟨U+009B⟩fo a⟨U+001B⟩[31mb⟨U+202E⟩c⟨U+000D⟩⟨U+0007⟩');
  expect(lines.textContent).not.toMatch(/\p{Cc}|\u202e/u);
});

it('names the replica that does not answer, and shows where lines are missing', async () => {
  const away = { ...part(1), answered: false, next: null };
  await page({ answers: [[{ ...part(0, line('started')), skipped: true }, away]] });
  await screen.findByText('Replica 1 does not answer');
  screen.getByText(/^Lines of replica 0 are missing here/);
});

it('keeps the lines beside the sentence of the server when it fails', async () => {
  const failed = new ServerError('The database is away', { status: 500 } as never);
  await page({ answers: [[part(0, line('started'))], failed] });
  await screen.findByText('started');
  await comeBack();
  await screen.findByText('The database is away');
  screen.getByText('started');
});

it('shows in place why there are none', async () => {
  await page({
    answers: [new ForbiddenError('Only admins of the project', { status: 403 } as never)],
  });
  const panel = await screen.findByRole('region', { name: 'Logs' });
  await within(panel).findByText(/Only admins of the project/);
});

it('shows that there is no replica yet', async () => {
  await page({ answers: [[]] });
  await screen.findByText('The gateway has no replica yet.');
});
